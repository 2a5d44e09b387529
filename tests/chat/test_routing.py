"""Which questions want the list, which a summary, and which documents they name."""

from __future__ import annotations

import pytest

from localspec.chat.routing import Route, mentioned, refers, revises, route, summary_subject, wants_all


@pytest.mark.parametrize(
    "question",
    [
        "Which documents do I have?",
        "which documents do you have",
        "What documents are available?",
        "What files have I uploaded?",
        "What files are loaded?",
        "Which PDFs are in the library?",
        "which papers are in my library?",
        "List my documents.",
        "List all documents",
        "list the files",
        "Show me all my documents",
        "Show me the files.",
        "Show my files",
        "Please list all of my documents.",
        "How many documents are there?",
        "How many files have been uploaded?",
        "How many documents do I have?",
        "What documents can you see?",
        "Which files do you have access to?",
        "Which books do you know?",
        "Which documents are indexed?",
        "What documents did I add?",
        "What are my documents?",
        "What is in my library?",
        "What's in the library?",
    ],
)
def test_questions_for_the_list(question: str) -> None:
    assert route(question) is Route.LIST


@pytest.mark.parametrize(
    "question",
    [
        "Summarise this.",
        "summarize the document",
        "Summarize harbour.pdf in three sentences",
        "Give me a summary.",
        "Can you write a short summary of the report?",
        "Can you summarise the list of documents for me?",
        "I need summaries of both papers",
        "tl;dr",
        "TLDR please",
        "Give me an overview of the paper.",
        "What's the gist?",
        "What is this about?",
        "What's this about",
        "whats it about?",
        "What is the document about?",
        "What are these documents about?",
        "Tell me what this book is about.",
        "What are the key points?",
        "What are the main points of the article?",
        "List the key takeaways",
        "What is the main idea of the text?",
        "What are the main topics?",
        "What does this document talk about?",
        "What does the report discuss?",
        "What is the paper mainly about?",
    ],
)
def test_questions_for_a_summary(question: str) -> None:
    assert route(question) is Route.SUMMARY


@pytest.mark.parametrize(
    "question",
    [
        "Who built the lighthouse of Velm?",
        "How high is the tide?",
        "What does section 3 say about taxes?",
        "When was Abelin founded?",
        "List the ingredients of the soup.",
        "Name the pilot.",
        "How many windows has the hall?",
        "Which documents do I need to apply for a visa?",
        "What papers did Einstein publish in 1905?",
        "How many files can a folder hold?",
        "What encoding does the globs2 file have?",
        "What is the rent of a flat in Berlin?",
        "Tell me the story of the harbour.",
        "Write a letter to the landlord about the deposit.",
        "Translate this into German",
        "Translate the first section into French",
        "Write a poem about this document.",
        "What is 5 in the table of fees?",
        "What is the deadline for the report?",
        "Which book did the author write first?",
        "What is the main character's name?",
        "How do I list files in a folder?",
        "What can you say about the tide?",
        "What is this sentence: about nine metres?",
        "What is known about the council?",
        "Where is the library?",
        "",
        "?",
    ],
)
def test_other_questions_want_passages(question: str) -> None:
    assert route(question) is Route.PASSAGES


@pytest.mark.parametrize(
    "question",
    [
        "hi", "Hello!", "hey there", "Good morning", "Thanks!", "ok thank you", "Who are you?", "How are you today?",
        "Tell me a story about a fox", "Write a haiku", "Please write a short poem about rain", "tell me another joke",
        "Can you sing a song?", "Give me a riddle", "Erzähl mir einen Witz", "Translate good morning into German",
        "translate 'the red house' to French", "How do you say thank you in Japanese?", "What is 17 times 23?",
        "12 * 12", "what's (3 + 4) / 2?", "calculate 15 % of 80", "What is the square root of 144?",
    ],
)  # fmt: skip
def test_what_needs_no_documents(question: str) -> None:
    assert route(question) is Route.NONE


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What does the document say about taxes?", True),
        ("Is it in my files?", True),
        ("According to the report, who won?", True),
        ("What is in this PDF?", True),
        ("Explain section 3", True),
        ("Was steht in dem Vertrag?", True),
        ("What is the capital of France?", False),
        ("How do I book a flight?", False),
        ("Which book did Tolkien write?", False),
        ("What does paragraph 7 tell of?", True),
    ],
)
def test_questions_that_speak_of_documents(question: str, expected: bool) -> None:
    assert refers(question) is expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Make it shorter", True),
        ("Please translate that into German", True),
        ("shorter, please", True),
        ("Are you sure?", True),
        ("continue", True),
        ("Make a list of all boats", False),
        ("How long is it?", False),
    ],
)
def test_questions_for_another_form_of_the_answer(question: str, expected: bool) -> None:
    assert revises(question) is expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How many boats are there?", True),
        ("List all the fees.", True),
        ("Name every captain", True),
        ("What are all the rules?", True),
        ("Wie viele Boote gibt es?", True),
        ("List the ingredients of the soup.", True),
        ("Who is the captain?", False),
        ("Name the pilot.", False),
        ("Give me the address of the office", False),
        ("How much does it cost?", False),
    ],
)
def test_questions_about_all_that_is_said(question: str, expected: bool) -> None:
    assert wants_all(question) is expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Summarise this.", False),
        ("Give me a short summary of the report in five sentences", False),
        ("What is this about?", False),
        ("tl;dr", False),
        ("Summarise the French Revolution", True),
        ("Give me an overview of quantum physics", True),
    ],
)
def test_what_a_summary_is_wanted_of(question: str, expected: bool) -> None:
    assert summary_subject(question) is expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Summarise annual_report-2023.pdf", [0]),
        ("Summarise the Annual Report 2023", [0]),
        ("what does ANNUAL_REPORT-2023 say?", [0]),
        ("Compare annual report 2023 with tides.md", [0, 1]),
        ("What are the tides like?", [1]),
        ("How does IT work?", []),
        ("Summarise it.txt", [2]),
        ("Who built the lighthouse?", []),
        ("", []),
    ],
)
def test_documents_that_a_question_names(question: str, expected: list[int]) -> None:
    assert mentioned(question, ["annual_report-2023.pdf", "tides.md", "it.txt", "a"]) == expected


def test_a_name_inside_another_word_is_not_meant() -> None:
    assert mentioned("Explain the category of partial functions", ["cat.pdf", "art.txt"]) == []
    assert mentioned("What does cat.pdf say?", ["cat.pdf", "art.txt"]) == [0]
