# SPDX-License-Identifier: MPL-2.0
"""The SentencePiece vocabulary of the video model, and its text encoder's input.

    wan_text.py

writes wan_tokenizer/spiece.model from the captions and from the names and keywords of meta.json.
"""
import json

import sentencepiece
import torch

from common import HERE
from wan_clips import every_caption
from wan_model import MAX_WORDS, VOCABULARY

FOLDER = HERE / "wan_tokenizer"
PAD, END = 0, 1


def train():
    """Small letters only, as 'nmt_nfkc_cf' makes them; unknown characters fall back to <unk>."""
    FOLDER.mkdir(exist_ok=True)
    records = json.loads((HERE / "meta.json").read_text(encoding="utf8"))
    words = [w for r in records for w in (*r["names"], *r["keywords"]) if w.isascii()]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(every_caption(60) + words), model_prefix=str(FOLDER / "spiece"),
        vocab_size=VOCABULARY, model_type="unigram", pad_id=PAD, eos_id=END, unk_id=2, bos_id=-1,
        character_coverage=1.0, normalization_rule_name="nmt_nfkc_cf", num_threads=1)
    (FOLDER / "spiece.vocab").unlink()


class Words:
    """Texts to token numbers, cut to MAX_WORDS with at least one place of padding."""

    def __init__(self):
        self.pieces = sentencepiece.SentencePieceProcessor(str(FOLDER / "spiece.model"))

    def __call__(self, texts):
        """Returns (n, MAX_WORDS) int64."""
        ids = torch.full((len(texts), MAX_WORDS), PAD)
        for row, text in zip(ids, texts):
            pieces = self.pieces.encode(text)[:MAX_WORDS - 2] + [END]
            row[:len(pieces)] = torch.tensor(pieces)
        return ids


if __name__ == "__main__":
    train()
