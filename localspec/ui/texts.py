"""Every English sentence of the page that is not made from an error."""

from __future__ import annotations

TITLE = "LocalSpec"
RUNNING = "LocalSpec is running at {address}"
STOP_HINT = "Closing its window leaves it running. Press Ctrl-C here, or “Quit” in the window, to stop it."
NO_PORT = "No free port from {first} to {last}. Close another program, or choose one with --port."
PORT_TAKEN = "Another program took the ports from {first} on while LocalSpec was starting. Start it again."
STARTING_ALREADY = "LocalSpec is just starting or ending for this folder: waiting for it."
RUNNING_ALREADY = "LocalSpec is running already at {address} for this folder."
WINDOW_OPENED = "Another window of it was opened."
OPEN_YOURSELF = "No browser could be opened: open {address} yourself."
MODEL_LATER = "Pick the other model there, or quit LocalSpec first."
ENDPOINT_STARTED = "Other programs can ask it by OpenAI's protocol: base URL {url}, token {token}"
ENDPOINT_LATER = "Switch its endpoint on there, in the part “{part}”."
PROCESS = "process {pid}"
PROCESS_UNKNOWN = "another process"
NOT_ANSWERING = "LocalSpec is running already for the folder {folder} ({process}), but does not answer."
NOT_ANSWERING_ADVICE = "End that process and start again, or use another folder with LOCALSPEC_HOME."
FOLDER_NOT_WRITABLE = "The folder {folder} cannot be written ({error})."
FOLDER_NOT_WRITABLE_ADVICE = "Free some space, make it writable, or use another one with LOCALSPEC_HOME."

# How to come in, and what is said when somebody may not.
ENTRANCE_TITLE = "This window may not use LocalSpec yet"
ENTRANCE_WHY = (
    "LocalSpec draws a new secret at every start, so that no other person or program here can read your chats. This"
    " window doesn't have it: it may belong to an earlier start. Your chats and documents are all there."
)
ENTRANCE_BY_START = "Start LocalSpec once more: it opens a window at the one that is running."
ENTRANCE_BY_TERMINAL = "Or open the address that it printed in its terminal, which ends in ?token=…"
ENTRANCE_ADDRESS = "Or paste that address here"
ENTRANCE_PASSWORD = "Or type the password"
ENTRANCE_ENTER = "Enter"
ENTRANCE_WRONG = "That was not right."
ENTRANCE_STALE = "This address was for an earlier start, or it was used already."
ENTRANCE_WAIT = "Too many wrong guesses. Try again in {time}."
ENTRANCE_REFUSED = "Open LocalSpec at the address that it printed when it started, or start it again."

AGAIN_TITLE = "LocalSpec was started again"
AGAIN_WHY = (
    "This window belongs to the start before, so it can't go on. What was said in it is kept: open it from the list."
)
AGAIN_BUTTON = "Open LocalSpec here"
SILENT_TITLE = "LocalSpec doesn't answer"
SILENT_WHY = (
    "It was stopped, or this computer is very busy. Start LocalSpec to go on; your chats are kept. This window notices"
    " when it answers again."
)

UPLOAD_LENGTH = "LocalSpec takes only uploads that say how large they are."
UPLOAD_LARGE = "More than {limit} GB at once. Add fewer documents at a time."
UPLOAD_WAITING = "Too many documents are waiting already. Try again once they are in the library, or in an hour."
UPLOAD_DISK = "The disk is nearly full. Free some space where {folder} lies."

HOST_UNKNOWN = "--host takes an IP address of this computer, not “{host}”."
HOST_ELSEWHERE = "“{host}” is no address of this computer."
HOST_ADVICE = "Give one of its addresses, or 0.0.0.0 for all of them."
HOST_WITHOUT_PASSWORD = "With --host {host} other computers could use LocalSpec, so there must be a password."
HOST_WITHOUT_PASSWORD_ADVICE = (
    "Set {variable}, or write the password into a file of your own and name it with --password-file; at least {least}"
    " characters."
)
PASSWORD_SHORT = "The password has {given} characters; the fewest are {least}."
PASSWORD_SHORT_ADVICE = "A few words that don't belong together are easy to remember and hard to guess."
PASSWORD_FILE_OPEN = "Others on this computer can read the password in {file}."
PASSWORD_FILE_OPEN_ADVICE = "Make it yours alone: chmod 600."
PASSWORD_FILE_UNREADABLE = "The password in {file} cannot be read ({error})."
HOST_LATER = "To let other computers in, quit LocalSpec first."
REACHED_AT = "Other computers reach it, with the password, at: {addresses}"
REACHED_MEANS = (
    "Whoever has the password can read all chats and documents here and use this computer. Nothing is encrypted on its"
    " way: do this in a network you trust only, or through a VPN or an SSH tunnel."
)

WINDOW_OWN = "a window of its own, by {name} ({program})"
WINDOW_TAB = "a page in your default browser"
WINDOW_NONE = "none: there is no display"

QUIT = "Quit"
QUIT_NAME = "Quit LocalSpec"
QUIT_SURE = "Quit LocalSpec?"
QUIT_WHAT = (
    "An answer that is being written ends where it is. Documents that are not indexed yet go on at the next start."
)
QUIT_NOT = "Cancel"
QUITTING = "LocalSpec is stopping …"
QUIT_DONE = "LocalSpec has stopped"
QUIT_DONE_ADVICE = "You can close this window. Start LocalSpec again to go on."

MENU_COMMENT = "Chat with a local model and your documents"
MENU_KEYWORDS = ("Chat", "AI", "LLM", "Documents", "PDF")
MENU_ADDED = "LocalSpec is in your applications menu now: {file}"
MENU_REMOVED = "Removed: {file}"
MENU_NOTHING = "LocalSpec was not in your applications menu."
MENU_LINUX_ONLY = "An entry in the applications menu can be made on Linux only."
MENU_ELSEWHERE = "On macOS double-click start.command, on Windows start.bat."
MENU_NO_STARTER = "{file} is missing."
MENU_NO_STARTER_ADVICE = "Run this command in the folder that LocalSpec was unpacked to."
MENU_NOT_WRITTEN = "{file} could not be written ({error})."
MENU_NOT_WRITTEN_ADVICE = "Free some space, or make the folder writable."

PLACEHOLDER = """### Chat with your documents, faster

<ol class="first-steps">
<li><b>Drop documents</b> anywhere on this page: PDF, Word, slides, tables, books, notes or code.</li>
<li><b>Ask a question.</b> The answer names file and page.</li>
<li><b>Watch the panel.</b> It shows how much of the answer was guessed ahead, and what that brought.</li>
</ol>

Everything stays on this computer."""

ASK = "Ask something, or drop documents here"
NEW_CHAT = "New chat"
CHATS = "Chats"
SEARCH_CHATS = "Search chats"
NO_CHATS = "No chats yet. They are kept on this computer only."
NOTHING_FOUND = "No chat holds these words."
MORE_CHATS = "Show more"
CHANGED = "{date}, library {library}"
CHAT_MENU = "More about {title}"
RENAME = "Rename"
NEW_TITLE = "New title"
SAVE = "Save"
CANCEL = "Cancel"
DELETE = "Delete"
DELETE_SURE = "Delete “{title}” for good?"
DELETE_NOW = "Yes, delete it"
DELETE_NOT = "Keep it"
EXPORT_MARKDOWN = "Export as Markdown"
EXPORT_JSON = "Export as JSON"
EXPORT_ALL = "Export all:"
ALL_CHATS = "LocalSpec chats"
IMPORT = "Import"
IMPORTED = "{chats} imported."
CHAT_BUSY = "An answer in this chat is still being ended."
CHAT_BUSY_ADVICE = "Try again in a moment."
NOT_KEPT = "This answer was not kept: {problem}"
INTERRUPTED = "LocalSpec ended while this answer was being written. What was written so far is here."
GO_ON = "Continue the answer"
NOTHING_TO_RETRY = "There is no question to ask again."
NOTHING_TO_UNDO = "There is no question to take back."
NOTHING_TO_EDIT = "This question is not there any more."
EDIT = "Edit"
EDIT_THIS = "Edit this question"
KEPT_BEFORE = "The answer from before stays."
SAME_AGAIN = (
    "The same answer came again: at temperature 0 the likeliest word is always taken. Raise the temperature under"
    " “Advanced” for another one."
)
METHOD = "Drafts"
LIBRARY = "Library"
LIBRARY_INFO = "Dropped documents join this library. Type a new name to begin another."
MODEL = "Model"
DRAFT = "Draft model"
DRAFT_INFO = "A small model that guesses ahead, for Draft model and RASD. The path of a GGUF file can be typed, too."
DRAFT_AUTOMATIC = "Automatic"
DRAFT_NONE = "None"
DRAFT_USED = "{name} drafts for {target}: it knows {knows} of its {tokens}."
DRAFT_UNUSED = "No draft model is loaded."
DRAFT_UNKNOWN = "None that belongs to {target} is known here."
DRAFT_IMPOSSIBLE = "{target} can take no draft back, so it needs no draft model."
DRAFT_PROBLEM = "The chat goes on without a draft model: {problem}"
DRAFT_UNFIT = "This draft cannot be used: {problem}"
DRAFT_FITS = "{name} fits {target}. It is used once you press “{load}”."
DRAFT_PENDING = "This applies once you press “{load}”."
METHOD_ALONE = {
    "draft": "Without a draft model there are no drafts: every token is the model's own step.",
    "rasd": "Without a draft model RASD drafts from searches alone.",
}
"""For every method that needs a draft model"""
DRAFT_PICK = "None is loaded; pick one in the part “{model}” below."
MODEL_FILE = "…or the path of a GGUF file"
CONTEXT = "Context length"
CONTEXT_INFO = "Tokens; 0 chooses a sensible one."
GPU_LAYERS = "GPU layers"
GPU_LAYERS_INFO = "-1 puts all of them on the GPU, if there is one."
THREADS = "Threads"
THREADS_INFO = "0 uses every core."
TUNED = "tuned: {format}"
TUNE = "Tune for this computer"
TUNE_AGAIN = "Measure again"
STOP = "Stop"
USE_CHOSEN = "Use {format} now"
USE_ORIGINAL = "Use the original"
KEEP_ORIGINAL = "Keep the original"
FORMAT = "format"
FORMAT_SIZE = "size"
FORMAT_DIVERGENCE = "KL"
FORMAT_AGREEMENT = "same word"
FORMAT_SPEED = "tokens/s"
FORMAT_WHY = (
    "How fast this model answers depends on how its numbers are stored, and computers differ in what suits them."
    " Trying it out takes {time} and up to {disk} GB of disk; you can go on chatting: answers come first. The model is"
    " then loaded again in the fastest form that says nearly the same as the original."
)
FORMAT_SHORT = "a few minutes"
FORMAT_LONG = "a quarter of an hour or more"
FORMAT_RUNNING = "Looking for the form of this model that suits this computer best. Answers come first."
FORMAT_TRYING = "Trying {format}"
FORMAT_HALTED = "Waiting while something else is done"
FORMAT_USED = "This model is used in the form {format}, expected {speedup} times as fast here as the original."
FORMAT_OFFERED = (
    "The form {format} is expected to be {speedup} times as fast here. The original is in use: nothing changes unless"
    " you want it."
)
FORMAT_NEXT = (
    "The form {format} is expected to be {speedup} times as fast here. It is used from the next start on, so that your"
    " chat need not be read again now."
)
FORMAT_ORIGINAL_BEST = "Tried: no other form that says nearly the same is faster here. The original is in use."
FORMAT_STALE = (
    "Drafts by meaning belong to the form they were read in: {libraries} would have to be read again for the other one."
    " What was read stays, for the original."
)
FORMAT_FILE = "This file was named by its path, so it is used as it is."
FORMAT_IMPOSSIBLE = "No other form can be made of this file."
FORMAT_PROBLEM = "The form of the model was not changed: {problem}"
FORMAT_TABLE = "Figures"
FORMAT_LEGEND = (
    "T(k): milliseconds to compute k tokens at once. KL: how far the probabilities are from the original's (at most"
    " 0.01 is allowed). Same word: how often the likeliest token is the same. Tokens/s: expected with drafts."
)
FORMAT_NOTES = {"original": "original", "chosen": "chosen", "slower": "slower", "loses too much": "loses too much",
                "gains too little": "gains too little"}  # fmt: skip
LOAD = "Load this model"
DOCUMENTS = "Documents"
ADVANCED = "Advanced"

ENDPOINT = "Other programs"
ENDPOINT_OFF = (
    "Programs on this computer that speak OpenAI's protocol can use the model here: editors, scripts, other chats. They"
    " get the same answers at the same speed, and take turns with you. Nothing they say is kept."
)
ENDPOINT_ON = "Programs on this computer can use {model}. Give them this address and token."
ENDPOINT_NO_MODEL = "the model, once it is loaded"
ENDPOINT_URL = "Base URL"
ENDPOINT_TOKEN = "Token"
ENDPOINT_MODEL = "Model"
SWITCH_ON = "Switch on"
SWITCH_OFF = "Switch off"
NEW_TOKEN = "New token"
COPY = "Copy"
COPY_NAME = "Copy: {name}"
COPIED = "Copied"

TEMPERATURE_INFO = "0 always takes the most likely word."
SEED_INFO = "Empty takes a new one for every answer."
ROWS_INFO = "Most tokens checked at once; 0 lets measurement decide."
PRESET_INFO = "device: sized by what pays on this computer. paper: as published."
GRAMMAR_INFO = "GBNF; the answer then follows it."

NO_DOCUMENTS = "No documents in this library yet."
REMOVE = "Remove from the library"
REMOVE_ONE = "Remove {name}"
MORE = "… and {number} more."
DOCUMENTS_DONE = "{done} of {total} documents"
TIME_LEFT = "about {time} left"
BY_MEANING = "drafts by meaning"
MEANING_WHY = (
    "Once that is done, places that say something similar in other words give drafts, too, which can make answers"
    " faster."
)
MEANING_TIME = "It takes about {time}; you can go on chatting meanwhile."
MEANING_NO_TIME = "You can go on chatting meanwhile."
MEANING_BUILD = "Build drafts by meaning"
MEANING_READING = "{tokens} still to be read for drafts by meaning. You can go on chatting: answers come first."
MEANING_STOP = "Stop reading"
MEANING_EMPTY = (
    "Nothing to draft from by meaning yet: such drafts come from the documents of this library and from learnt answers."
)
MEANING_NEVER = "This model gives no states to compare, so only equal words are searched for."
LEARN = "Learn from my chats"
LEARN_INFO = (
    "Keeps the answers that the model writes with this library, on this computer only, so that similar ones come"
    " faster. They can quote documents, and stay when a document is removed, until you forget them."
)
LEARNT = "{answers} learnt ({tokens})"
NOTHING_LEARNT = "No answers learnt yet."
NOT_LEARNING = "New answers are not kept."
FORGET = "Forget them"
FORGET_NOW = "Yes, forget them"
FORGET_NOT = "Keep them"
LOADING = "Loading the model {name} …"
NO_MODEL = "No model is loaded"
DEFAULT_MODEL = "that comes with LocalSpec"
WAITING_MODEL = "Loading the model …"
WAITING_TURN = "Waiting for another answer to finish …"
WAITING_DOCUMENTS = "Reading your documents …"
FINDING = "Looking for the passages that fit …"
READING = "Reading the question with its text …"
STOPPED_EARLY = "Stopped before the first word."
STOPPED = "Stopped. You can go on chatting."
NOT_ANSWERED = "No answer"
ALREADY_LOADING = "A model is being loaded already."
ALREADY_LOADING_ADVICE = "Wait until it is there."
MODEL_KEPT = "{error} The model loaded before is used again."
LIBRARY_NOT_USED = "Your documents are not used for this answer: {error}"
UNEXPECTED = "Something went wrong inside LocalSpec ({kind}: {error})."
UNEXPECTED_ADVICE = "Ask again; if it happens again, start LocalSpec anew. Your documents are safe."
NUMBER_MISSING = "The setting {name} is empty."
NUMBER_MISSING_ADVICE = "Type a number, or reload the page for the usual values."
NOT_WHOLE = "The setting {name} must be a whole number."
NOTHING_SENT = "Type a question, or drop a document."
BUSY = "An answer is being written in this chat."
BUSY_ADVICE = "Stop it, or wait until it is there."

SOURCES = {
    "target": "the model itself",
    "prompt": "this chat and its passages",
    "REST": "your documents",
    "DReSD": "documents, by meaning",
    "draft": "draft model",
    "recycled": "the model's earlier choices",
}
STATUS = {
    "queued": "waiting",
    "parsed": "splitting",
    "passages": "preparing drafts",
    "ngrams": "ready to ask; search by meaning follows",
    "ready": "ready",
    "failed": "not readable",
}
STAGES = {
    "reading": "reading",
    "splitting": "splitting",
    "n-grams": "preparing drafts",
    "vectors": "search by meaning",
    "states": "drafts by meaning",
}

PANEL_EMPTY = "Ask something: here you see how many words were guessed ahead, and what that brought."
SPEEDUP = "against plain"
TOKENS_PER_SECOND = "tokens per second"
ACCEPTANCE = "of drafts accepted"
ACCEPTED_LENGTH = "accepted per step"
TOKENS_PER_STEP = "tokens per step"
TOKENS = "tokens"
BASELINE = "Plain decoding on this computer: {rate} tokens per second ({source})."
BASELINE_OWN = "the median of this reply's undrafted steps"
BASELINE_LOADED = "measured when the model was loaded"
TOKENS_CAME_FROM = "Where the tokens came from"
TOKENS_BY_SOURCE = "Tokens by source"
SOURCE_TOKENS = "tokens"
SOURCE_DRAFTED = "drafted"
SOURCE_ACCEPTED = "accepted"
SOURCE_SHARED = "A draft that several made counts for each of them; its token counts for the first."
NEIGHBOURS = "Similar moments found: {found} per search, on average {alike} alike (1 is the same)."
PLOT = "Accepted tokens per step"
PLOT_EXTENT = "last {steps}, at most {highest}"
TIME_WENT = "Where the time went"
TIME_DRAFTING = "drafting"
TIME_DRAFTING_IS = "the draft model at work"
TIME_RETRIEVAL = "searching"
TIME_RETRIEVAL_IS = "documents, states and this chat searched for drafts"
TIME_VERIFICATION = "verifying"
TIME_VERIFICATION_IS = "the model itself: {decode}; choosing tokens: {sample}"
TIME_REST = "the rest"
TIME_REST_IS = "putting drafts together, keeping what was accepted"
TIME_OVERLAPPED = "{time} of searching ran while the draft model was at work."
TIME_READING = "reading first"
TIME_DRAFT_READING = "draft model, too"
TOKENS_READ = "{tokens}, {reused} kept from before"


def added(name: str, pages: int | None, passages: int) -> str:
    """A document that joined the library, in words."""
    parts = [f"{pages} page{'s' if pages != 1 else ''}"] if pages else []
    parts.append(f"{passages} passage{'s' if passages != 1 else ''}")
    return f"{name} ({', '.join(parts)})"


def forget_sure(answers: int) -> str:
    """What is asked before a library's learnt answers are deleted."""
    those = f"all {answers:,} learnt answers" if answers != 1 else "the one learnt answer"
    return (
        f"Delete {those} of this library for good? That includes what the command learn has written."
        " Documents and chats stay."
    )


def meaning_missing(tokens: int) -> str:
    """How much of a library gives no drafts by meaning yet."""
    have = "has" if tokens == 1 else "have"
    return f"{counted(tokens, 'token')} of this library {have} not been read for drafts by meaning."


def editing(later: int) -> str:
    """What is said while a question is edited that `later` others follow."""
    also = f", and {counted(later, 'question')} after it," if later else ""
    return f"You are editing a question: its answer{also} will be replaced when you send it."


def counted(number: int, noun: str) -> str:
    """So many of something."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def roughly(value: float) -> str:
    """A duration that is only estimated."""
    if value < 55:
        return f"{max(10, round(value, -1)):.0f} seconds"
    if value < 90 * 60:
        return counted(max(1, round(value / 60)), "minute")
    return counted(round(value / 3600), "hour")


def seconds(value: float) -> str:
    """A duration as people read it."""
    if value < 0.0995:
        return f"{value * 1000:.0f} ms"
    if value < 90:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min"
