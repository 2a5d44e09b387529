"""Makes the draft model of SmolLM2-135M-Instruct, in stages. Each goes on where it was interrupted.

usage, from the root of the repository:
  python models/smollm2-135m-draft/train.py generate [--minutes M] [--seeds FILE.npz ...] [--prompts FILE.jsonl]
  python models/smollm2-135m-draft/train.py vocabulary [--data FILE.npz ...]
  python models/smollm2-135m-draft/train.py train [--minutes M] [--data FILE.npz ...]
  python models/smollm2-135m-draft/train.py export [--out FILE.gguf] [--embeddings Q4_0] [--output Q8_0] ...
  python models/smollm2-135m-draft/train.py evaluate --prompts SPEC_BENCH.jsonl [--draft FILE]

All of them take `--work FOLDER`, where chats, checkpoint and target are kept, and `--target FILE.gguf`; without the
latter the target is the BF16 form of the application's default model, made in the work folder. `--help` says more.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from dataclasses import fields
from pathlib import Path
from time import monotonic

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

import torch  # noqa: E402

import evaluation  # noqa: E402
import gguf_file  # noqa: E402
import selfchat  # noqa: E402
from localspec.config import default_threads  # noqa: E402
from localspec.models.files.catalogue import resolve  # noqa: E402
from localspec.models.llama import LlamaModel, LoadSettings, Weights, requantize  # noqa: E402
from network import Config, Draft, with_weights  # noqa: E402
from training import Corpus, Settings, Training, read_checkpoint  # noqa: E402
from vocabulary import choose, expected_uses, pair  # noqa: E402
from wiring import wired  # noqa: E402

TARGET_NAME = "smollm2-135m"
BF16 = 32
"""llama.cpp's LLAMA_FTYPE_MOSTLY_BF16."""
DRAFT = "smollm2-135m-draft.gguf"


def target_of(arguments: argparse.Namespace) -> Path:
    """The target's file; made from the application's default model where none was named."""
    if arguments.target:
        return Path(arguments.target)
    target: Path = arguments.work / "target-bf16.gguf"
    if not target.exists():
        partial = target.with_suffix(".partial")
        requantize(resolve("").path, partial, BF16, arguments.threads)
        partial.replace(target)
    return target


def chat_files(arguments: argparse.Namespace) -> list[Path]:
    """The chats to learn from."""
    files = sorted(arguments.data or (arguments.work / "chats").glob("chats-*.npz"))
    if not files:
        sys.exit("There are no chats yet: run `generate` first, or name files with --data.")
    return files


def generate(arguments: argparse.Namespace) -> None:
    """Let the target write chats."""
    given = []
    if arguments.prompts:
        lines = arguments.prompts.read_text(encoding="utf-8").splitlines()
        given = [str(json.loads(line)["prompt"]) for line in lines if line.strip()]
    selfchat.generate(
        target_of(arguments),
        arguments.work / "chats",
        arguments.threads,
        arguments.minutes,
        arguments.seed,
        sorted(arguments.seeds),
        given,
    )


def begin(arguments: argparse.Namespace, target: Path, chats: selfchat.Chats) -> Training:
    """A new training: vocabulary, wired network, optimisers."""
    weights = Weights(target)
    uses = expected_uses(chats.tokens, chats.choices, chats.chances, weights.vocabulary_size)
    target_ids = choose(uses, arguments.vocab, weights.end_tokens | {weights.bos})
    embeddings = gguf_file.read_tensor(target, "token_embd.weight")
    vocabulary = pair(target_ids, embeddings)
    covered = chats.chances[:, 0] > 0
    said = vocabulary.said()[chats.choices[covered, 0]] >= 0
    print(f"vocabulary: {len(target_ids)} of {len(uses)} tokens, {said.mean():.1%} of the target's first choices")
    config = Config(vocab=arguments.vocab)
    torch.manual_seed(arguments.seed)
    network = Draft(config)
    own = torch.from_numpy(target_ids).long()
    wires = wired(network.state_dict(), config, embeddings[own], torch.from_numpy(uses)[own], seed=arguments.seed)
    settings = Settings(rate=arguments.rate, muon_rate=arguments.muon_rate, seed=arguments.seed)
    return Training(with_weights(config, wires), vocabulary, settings)


def make_vocabulary(arguments: argparse.Namespace) -> None:
    """The checkpoint before any training, unless there is one."""
    if arguments.checkpoint.exists():
        print(f"{arguments.checkpoint} is there already.")
        return
    begin(arguments, target_of(arguments), selfchat.load(chat_files(arguments))).save(arguments.checkpoint)


def train(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up, over all sessions."""
    torch.set_num_threads(arguments.threads)
    chats = selfchat.load(chat_files(arguments))
    if arguments.checkpoint.exists():
        training = Training.load(arguments.checkpoint)
        print(f"going on from step {training.steps}, after {training.seconds / 60:.1f} minutes")
    else:
        training = begin(arguments, target_of(arguments), chats)
        training.save(arguments.checkpoint)
    corpus = Corpus(chats, training.vocabulary, training.settings)
    budget = arguments.minutes * 60
    losses: deque[float] = deque(maxlen=50)
    tokens, begun, saved, told = 0, training.seconds, training.seconds, training.seconds
    for batch in training.batches(corpus):
        if training.seconds >= budget:
            break
        if training.seconds - saved >= arguments.save_minutes * 60:
            training.save(arguments.checkpoint)
            saved = training.seconds
        now = monotonic()
        losses.append(training.step(batch, training.seconds / budget))
        training.seconds += monotonic() - now
        tokens += batch.tokens.numel()
        if training.seconds - told >= 60:
            told = training.seconds
            print(
                f"{told / 60:.1f} min, step {training.steps}: {tokens / (told - begun):.0f} tokens/s,"
                f" loss {sum(losses) / len(losses):.3f}",
                flush=True,
            )
    training.save(arguments.checkpoint)


def export(arguments: argparse.Namespace) -> None:
    """Write the checkpoint as a GGUF."""
    network, vocabulary = read_checkpoint(arguments.checkpoint)
    texts = Weights(target_of(arguments)).vocabulary()
    types = gguf_file.TensorTypes(
        **{field.name: getattr(arguments, field.name) for field in fields(gguf_file.TensorTypes)}
    )
    tokens = [texts[token] for token in vocabulary.target_ids.tolist()]
    gguf_file.write(arguments.out, network, vocabulary, tokens, TARGET_NAME, types)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


def evaluate(arguments: argparse.Namespace) -> None:
    """Count hits, and for a GGUF also take times."""
    torch.set_num_threads(arguments.threads)
    target = target_of(arguments)
    cache = arguments.replies or arguments.work / "replies.npz"
    if not cache.exists() and not arguments.prompts:
        sys.exit("There are no replies of the target yet: name a file of Spec-Bench with --prompts.")
    replies = evaluation.greedy_replies(target, arguments.prompts, cache)
    draft: Path = arguments.draft or arguments.checkpoint
    if draft.suffix != ".gguf":
        network, vocabulary = read_checkpoint(draft)
        network.to("cuda" if torch.cuda.is_available() else "cpu")
        found = evaluation.hits(replies, evaluation.choices_of_network(network, vocabulary))
        print(evaluation.table(found))
        print(json.dumps({"draft": draft.name, "hits": found}))
        return
    vocabulary = gguf_file.read_vocabulary(draft)
    model = LlamaModel(draft, LoadSettings(evaluation.LONGEST, arguments.threads))
    found = evaluation.hits(replies, evaluation.choices_of_file(model, vocabulary))
    print(evaluation.table(found), flush=True)
    times = measure(arguments, model, target)
    print(json.dumps({"draft": draft.name, "hits": found, "milliseconds": times}))
    model.close()


def measure(arguments: argparse.Namespace, draft: LlamaModel, target: Path) -> dict[str, float]:
    """Times of the draft beside those of the target, in both of its formats where none was named."""
    settings = LoadSettings(evaluation.LONGEST, arguments.threads)
    targets = [target] if arguments.target else [target, resolve("").path]
    loaded = {file.name: LlamaModel(file, settings) for file in targets}
    times = evaluation.decode_milliseconds(
        {"draft, 1 row": (draft, 1), "draft, 4 rows": (draft, 4)}
        | {f"{name}, 1 row": (model, 1) for name, model in loaded.items()}
    )
    for name, milliseconds in times.items():
        print(f"{name}: {milliseconds:.2f} ms")
    for model in loaded.values():
        model.close()
    return times


def parser() -> argparse.ArgumentParser:
    """The command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--work", type=Path, default=Path("build/draft"), help="folder for everything in between")
    common.add_argument("--target", default="", help="GGUF of the target; default: BF16 of the default model")
    common.add_argument("--threads", type=int, default=default_threads())
    common.add_argument("--seed", type=int, default=0)
    common.add_argument("--checkpoint", type=Path, help="default: checkpoint.pt in the work folder")
    learning = argparse.ArgumentParser(add_help=False)
    learning.add_argument("--data", type=Path, nargs="+", default=[], help="files of chats; default: those generated")
    learning.add_argument("--vocab", type=int, default=Config().vocab, help="tokens of the draft's vocabulary")
    learning.add_argument("--rate", type=float, default=Settings().rate, help="learning rate of AdamW")
    learning.add_argument("--muon-rate", type=float, default=Settings().muon_rate, help="learning rate of Muon")

    whole = argparse.ArgumentParser(
        prog="train.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    stages = whole.add_subparsers(required=True, metavar="STAGE")

    stage = stages.add_parser("generate", parents=[common], help="let the target write chats")
    stage.add_argument("--minutes", type=float, default=60, help="for how long")
    stage.add_argument("--seeds", type=Path, nargs="+", default=[], help="chats whose documents are asked about again")
    stage.add_argument("--prompts", type=Path, help='user turns to answer: JSON lines with "prompt"')
    stage.set_defaults(run=generate)

    stage = stages.add_parser("vocabulary", parents=[common, learning], help="the checkpoint before any training")
    stage.set_defaults(run=make_vocabulary)

    stage = stages.add_parser("train", parents=[common, learning], help="train; begins with `vocabulary` if need be")
    stage.add_argument("--minutes", type=float, default=60, help="budget over all sessions; the schedule ends with it")
    stage.add_argument("--save-minutes", type=float, default=5, help="time between checkpoints")
    stage.set_defaults(run=train)

    stage = stages.add_parser("export", parents=[common], help="write the checkpoint as a GGUF")
    stage.add_argument("--out", type=Path, default=HERE / DRAFT)
    for field in fields(gguf_file.TensorTypes):
        name = field.name.replace("_", "-")
        stage.add_argument(f"--{name}", choices=gguf_file.TYPES, default=field.default, help=f"type of {name}")
    stage.set_defaults(run=export)

    stage = stages.add_parser("evaluate", parents=[common], help="hits and times on the target's greedy replies")
    stage.add_argument("--prompts", type=Path, help="Spec-Bench: JSON lines with `category` and `turns`")
    stage.add_argument("--replies", type=Path, help="the target's replies; default: replies.npz in the work folder")
    stage.add_argument("--draft", type=Path, help="a checkpoint or a GGUF; default: the checkpoint")
    stage.set_defaults(run=evaluate)
    return whole


def main() -> None:
    """Run one stage."""
    arguments = parser().parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    arguments.checkpoint = arguments.checkpoint or arguments.work / "checkpoint.pt"
    arguments.run(arguments)


if __name__ == "__main__":
    main()
