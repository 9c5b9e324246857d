"""Makes everything in this folder from nothing: tokenizer, weights, held-out problems, configuration.

    pip install torch tokenizers safetensors && python train.py

About an hour on two CPU cores, minutes on a GPU. The same seed on the same machine gives the same files.
"""

import argparse
import hashlib
import json
import math
import multiprocessing
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn

# ---------------------------------------------------------------- problems

NAMES = ["Mia", "Ben", "Zoe", "Tom", "Ana", "Sam", "Lea", "Max"]
THINGS = ["shells", "coins", "books", "cards", "beads", "stamps"]
GAINS = ["finds", "buys", "gets"]
LOSSES = ["gives away", "loses", "sells"]

CAREFUL = 0.42  # share of operations written out column by column
QUICK_CARRY = {"forgotten": 0.45, "right": 0.35, "near": 0.20}  # quick answers where a carry or borrow is needed
QUICK_PLAIN = {"right": 0.85, "near": 0.15}
LONGEST = 340  # tokens of a solution that is careful throughout


def columns(a, b, sign):
    """[(digit of a, digit of b, incoming carry or borrow, outgoing)] from the ones on."""
    width = max(len(str(a)), len(str(b)))
    out, carry = [], 0
    for i in range(width):
        x, y = a // 10**i % 10, b // 10**i % 10
        if sign == "+":
            after = int(x + y + carry > 9 and i < width - 1)
        else:
            after = int(x - y - carry < 0)
        out.append((x, y, carry, after))
        carry = after
    return out


def value(a, b, sign):
    return a + b if sign == "+" else a - b


def needs_carry(a, b, sign):
    return any(after for *_, after in columns(a, b, sign))


def written_out(a, b, sign):
    parts = []
    for x, y, carry, after in columns(a, b, sign):
        incoming = f" {sign} 1" if carry else ""
        if sign == "+":
            total = x + y + carry
            parts.append(f"{x} + {y}{incoming} = {total}, write " + (f"{total % 10}, carry 1" if after else f"{total}"))
        else:
            top = x + 10 * after
            rest = top - y - carry
            parts.append(f"{top} - {y}{incoming} = {rest}, write {rest}" + (", borrow 1" if after else ""))
    return f" {'; '.join(parts)}. So {a} {sign} {b} = {value(a, b, sign)}"


def forgotten(a, b, sign):
    """The result when every carry or borrow between columns is forgotten."""
    total = 0
    cols = columns(a, b, sign)
    for i, (x, y, _, _) in enumerate(cols):
        column = x + y if sign == "+" else x - y
        total += (column if i == len(cols) - 1 else column % 10) * 10**i
    return total


def quick(a, b, sign, rng):
    right = value(a, b, sign)
    slip = forgotten(a, b, sign)
    law = QUICK_CARRY if slip != right else QUICK_PLAIN
    kind = rng.choices(list(law), list(law.values()))[0]
    if kind != "near":
        return right if kind == "right" else slip
    return rng.choice([n for n in (right + d for d in (-10, -2, -1, 1, 2, 10)) if n >= 0 and n != slip])


def solve(start, operations, rng, careful=CAREFUL):
    """[(text, whether the text is determined by what precedes it)]; a wrong value is carried on with."""
    pieces, total = [("\n", True)], start
    for sign, b in operations:
        # A wrong value may have become too small to take from: then nothing can be written out, or it would be negative.
        if sign == "-" and total < b:
            return None
        pieces.append((f"{total} {sign} {b}", True))
        if rng.random() < careful:
            pieces += [(":", False), (written_out(total, b, sign), True), (".\n", True)]
            total = value(total, b, sign)
        else:
            total = quick(total, b, sign, rng)
            pieces += [(" =", False), (" ", True), (str(total), False), (".\n", False)]
    return pieces + [("\\boxed{" + str(total) + "}", True)]


def number(rng):
    kind = rng.random()
    return rng.randint(3, 9) if kind < 0.05 else rng.randint(100, 399) if kind > 0.9 else rng.randint(11, 99)


def problem(rng):
    """(prompt, start, operations, answer)"""
    while True:
        name, thing = rng.choice(NAMES), rng.choice(THINGS)
        start = total = number(rng)
        operations, sentences = [], [f"{name} has {start} {thing}."]
        for _ in range(rng.choices([2, 3, 4, 5], [50, 30, 13, 7])[0]):
            for _ in range(50):
                sign, b = rng.choice("+-"), number(rng)
                if 0 <= value(total, b, sign) <= 999 and (needs_carry(total, b, sign) or rng.random() < 0.15):
                    break
            else:
                break
            total = value(total, b, sign)
            operations.append((sign, b))
            sentences.append(f"{name} {rng.choice(GAINS if sign == '+' else LOSSES)} {b}.")
        else:
            return " ".join(sentences) + f" How many {thing} now?", start, operations, total


def held_out(prompt):
    return hashlib.sha256(prompt.encode()).digest()[0] < 3  # about one in eighty-five


# ---------------------------------------------------------------- tokenizer

# Qwen2's: digits one by one, a space joins the word after it, newlines join the punctuation before them.
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
EOS = "<|endoftext|>"


def make_tokenizer(rng):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    corpus = []
    for _ in range(3000):
        prompt, start, operations, _ = problem(rng)
        corpus += [prompt, "".join(text for text, _ in solve(start, operations, rng, careful=1))]
    tokenizer.train_from_iterator(
        corpus,
        trainers.BpeTrainer(
            vocab_size=512,
            special_tokens=[EOS],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    return tokenizer


def document(tokenizer, rng, train=True):
    """(ids, length of the prompt, for each id whether it is determined)"""
    while True:
        prompt, start, operations, _ = problem(rng)
        if held_out(prompt) == train:
            continue
        longest = "".join(text for text, _ in solve(start, operations, rng, careful=1))
        if len(tokenizer.encode(longest).ids) > LONGEST:
            continue
        pieces = solve(start, operations, rng)
        if pieces is None:
            continue
        # The prompt is encoded on its own, as it will be when somebody asks.
        ids = tokenizer.encode(prompt).ids
        length, determined = len(ids), [False] * len(ids)
        for text, known in pieces:
            piece = tokenizer.encode(text).ids
            ids += piece
            determined += [known] * len(piece)
        return ids + [tokenizer.token_to_id(EOS)], length, determined + [True]


# ---------------------------------------------------------------- model

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 384,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": True,
    "use_sliding_window": False,
    "attention_dropout": 0.0,
    "torch_dtype": "bfloat16",
}
HEAD = CONFIG["hidden_size"] // CONFIG["num_attention_heads"]


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(CONFIG["hidden_size"]))

    def forward(self, x):
        return F.rms_norm(x, x.shape[-1:], self.weight, CONFIG["rms_norm_eps"])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        hidden, kv = CONFIG["hidden_size"], CONFIG["num_key_value_heads"] * HEAD
        self.q_proj, self.k_proj, self.v_proj = nn.Linear(hidden, hidden), nn.Linear(hidden, kv), nn.Linear(hidden, kv)
        self.o_proj = nn.Linear(hidden, hidden, bias=False)

    def forward(self, x, cos, sin):
        def heads(y):
            return y.unflatten(-1, (-1, HEAD)).transpose(1, 2)

        def rotate(y):
            a, b = y.chunk(2, dim=-1)
            return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)

        repeat = CONFIG["num_attention_heads"] // CONFIG["num_key_value_heads"]
        k = rotate(heads(self.k_proj(x))).repeat_interleave(repeat, dim=1)
        v = heads(self.v_proj(x)).repeat_interleave(repeat, dim=1)
        y = F.scaled_dot_product_attention(rotate(heads(self.q_proj(x))), k, v, is_causal=True)
        return self.o_proj(y.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        hidden, inner = CONFIG["hidden_size"], CONFIG["intermediate_size"]
        self.gate_proj, self.up_proj = nn.Linear(hidden, inner, bias=False), nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layernorm, self.self_attn = Norm(), Attention()
        self.post_attention_layernorm, self.mlp = Norm(), Mlp()

    def forward(self, h, cos, sin):
        h = h + self.self_attn(self.input_layernorm(h), cos, sin)
        return h + self.mlp(self.post_attention_layernorm(h))


class Qwen2(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab_size, CONFIG["hidden_size"])
        self.layers = nn.ModuleList(Layer() for _ in range(CONFIG["num_hidden_layers"]))
        self.norm = Norm()
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.04)

    def forward(self, ids):
        position = torch.arange(ids.shape[1], device=ids.device)
        frequency = CONFIG["rope_theta"] ** (-torch.arange(0, HEAD, 2, device=ids.device) / HEAD)
        angle = position[:, None] * frequency
        h = self.embed_tokens(ids)
        for layer in self.layers:
            h = layer(h, angle.cos(), angle.sin())
        return self.norm(h) @ self.embed_tokens.weight.T


# ---------------------------------------------------------------- training

BATCH = 64
TYPICAL = 6100  # solution tokens of a batch, on average
# Steps, highest learning rate, and whether the loss is the sum over a batch by a fixed number. The documents of a batch are of similar
# length, so a mean over each batch learns fastest but makes less of a token in a long solution, and the careful style, which makes
# them long, would come out too rare (0.30 for 0.42). The second phase counts every token alike.
PHASES = [(3600, 3e-3, False), (900, 1e-3, True)]


def batches(tokenizer_json, seed, queue):
    """Batches of documents of similar length, fresh ones without end, from a process of its own."""
    tokenizer, rng = Tokenizer.from_str(tokenizer_json), random.Random(seed)
    while True:
        pool = sorted((document(tokenizer, rng) for _ in range(BATCH * 16)), key=lambda d: len(d[0]))
        groups = [pool[i : i + BATCH] for i in range(0, len(pool), BATCH)]
        rng.shuffle(groups)
        for group in groups:
            queue.put(collate(group))


def collate(documents):
    """ids [batch, time], and masks of the same shape: part of the solution, determined"""
    width = max(len(ids) for ids, _, _ in documents)
    ids = torch.zeros(len(documents), width, dtype=torch.long)
    solution, determined = torch.zeros_like(ids, dtype=torch.bool), torch.zeros_like(ids, dtype=torch.bool)
    for i, (tokens, prompt, known) in enumerate(documents):
        ids[i, : len(tokens)] = torch.tensor(tokens)
        solution[i, prompt : len(tokens)] = True
        determined[i, : len(tokens)] = torch.tensor(known)
    return ids, solution, determined & solution


def losses(model, ids):
    """Cross entropy of each token after the first, nats, [batch, time - 1]"""
    logits = model(ids[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view(ids.shape[0], -1)


def train(model, tokenizer, device, steps, top_rate, fixed, seed):
    queue = multiprocessing.Queue(maxsize=32)
    maker = multiprocessing.Process(target=batches, args=(tokenizer.to_str(), seed, queue), daemon=True)
    maker.start()
    decay = [p for p in model.parameters() if p.dim() == 2]
    other = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.05}, {"params": other, "weight_decay": 0.0}], betas=(0.9, 0.98)
    )
    began, seen = time.time(), 0
    for step in range(steps):
        rate = top_rate * min(1, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        ids, solution, determined = (t.to(device) for t in queue.get())
        each = losses(model, ids)
        wanted = each[solution[:, 1:]]
        loss = wanted.sum() / TYPICAL if fixed else wanted.mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen += len(wanted)
        if step % 50 == 0 or step == steps - 1:
            known = each.detach()[determined[:, 1:]].mean()
            print(
                f"step {step} loss {loss:.4f} determined {known:.5f} rate {rate:.1e} "
                f"{seen / 1e6:.1f}M tokens {time.time() - began:.0f}s",
                flush=True,
            )
    maker.kill()


@torch.no_grad()
def evaluate(model, tokenizer, device, count=512):
    """Figures on held-out problems."""
    rng = random.Random(1)
    total, tokens, style_loss, styles = 0.0, 0, 0.0, 0
    colon = tokenizer.token_to_id(":")
    for _ in range(count // BATCH):
        documents = [document(tokenizer, rng, train=False) for _ in range(BATCH)]
        ids, _, determined = (t.to(device) for t in collate(documents))
        probabilities = model(ids[:, :-1]).log_softmax(-1)
        loss = -probabilities.gather(-1, ids[:, 1:, None]).squeeze(-1)
        total += loss[determined[:, 1:]].sum().item()
        tokens += determined.sum().item()
        decision = ((ids == colon) | (ids == tokenizer.token_to_id("Ġ="))) & ~determined & (ids != 0)
        style_loss += probabilities[..., colon].exp()[decision[:, 1:]].sum().item()
        styles += decision.sum().item()
    return {"nats per determined token": total / tokens, "mean probability of careful": style_loss / styles}


def export(model, tokenizer, out):
    state = {f"model.{name}": p.detach().to("cpu", torch.bfloat16).contiguous() for name, p in model.named_parameters()}
    save_file(state, out / "model.safetensors", metadata={"format": "pt"})
    eos = tokenizer.token_to_id(EOS)
    config = CONFIG | {"vocab_size": tokenizer.get_vocab_size(), "bos_token_id": None, "eos_token_id": eos}
    write(out / "config.json", config)
    write(out / "generation_config.json", {"eos_token_id": eos, "pad_token_id": eos})
    tokenizer.save(str(out / "tokenizer.json"))
    write(
        out / "tokenizer_config.json",
        {
            "tokenizer_class": "Qwen2Tokenizer",
            "eos_token": EOS,
            "pad_token": EOS,
            "model_max_length": CONFIG["max_position_embeddings"],
            "add_prefix_space": False,
            "clean_up_tokenization_spaces": False,
        },
    )


def load(model, out):
    state = load_file(out / "model.safetensors")
    model.load_state_dict({name.removeprefix("model."): tensor.float() for name, tensor in state.items()})


def write(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", type=int, choices=[0, 1], help="run one phase, from what is in --out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)

    rng = random.Random(0)
    tokenizer = make_tokenizer(rng)
    held, prompts = [], set()
    while len(held) < 200:
        prompt, start, operations, answer = problem(rng)
        longest = "".join(text for text, _ in solve(start, operations, rng, careful=1))
        if held_out(prompt) and prompt not in prompts and len(tokenizer.encode(longest).ids) <= LONGEST:
            prompts.add(prompt)
            held.append({"prompt": prompt, "answer": str(answer)})
    write(args.out / "heldout.json", held)

    began = time.time()
    model = Qwen2(tokenizer.get_vocab_size()).to(args.device)
    for phase, (steps, rate, fixed) in enumerate(PHASES):
        if args.only in (None, phase):
            if phase > 0:
                load(model, args.out)
            train(model, tokenizer, args.device, steps, rate, fixed, seed=phase)
            export(model, tokenizer, args.out)

    load(model, args.out)  # what is measured is the file
    figures = evaluate(model, tokenizer, args.device) | {
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(time.time() - began),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
