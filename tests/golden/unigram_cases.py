# SPDX-License-Identifier: MPL-2.0
"""Texts and their ids: SentencePiece and transformers' fast tokenizers on T5's vocabulary and small ones of our own.

`unigram/small.model` is an input: a vocabulary of our own, trained on captions made for the project.  The other
files are made from it: `bytes.model` (no charsmap, byte pieces, a user-defined and an unused piece), `fast.json`
and `plain.json` (tokenizer.json as T5 has it, with and without a charsmap).  T5's own is the one that ships.
"""

import base64
import json
import random

import common

T5 = common.FIXTURES.parents[2] / "data" / "tokenizers" / "t5" / "spiece.model"
SMALL = common.FIXTURES / "unigram" / "small.model"

CORNERS = [
    "", " ", "  ", "a photo of a cat", " leading", "trailing  ", "two  spaces   here", "line\nbreak\ttab\rret",
    "▁typed ▁▁ mark▁", "▁", "▁▁", "</s> a", "<pad><unk>", "<extra_id_0> x", "x</s>y </s>", "＜pad＞", "①②③ ½ ﬁ ﬀ Å Å",
    "e\u0301 a\u0308 n\u0303", "한국어 텍스트", "\u1100\u1161\u11a8", "日本語のテキスト カタカナ ｶﾞｷﾞ", "हिन्दी क्षि", "العربية لا ﻻ",
    "עברית שָׁלוֹם", "😀😀 👩‍👩‍👧 🇩🇪", "zero\u200bwidth\u200d\ufeff", "nb\u00a0sp\u2003em\u3000ideo", "ctrl\x01\x02\x7f",
    "soft\u00adhyphen", "ᾳ ǆ ẛ̣", "Ⅷ ㎏ ㍿", "\u0301lead", "x" * 300, " " * 20 + "a", "don't 1234.5",
    "(masterpiece:1.2), best quality", "<0x41> <0xE4>", "a\u3000b", "\u0344", "\u0958", "ﷺ", "İstanbul ıI", "straße ẞ",
    "\ud7ff\ue000\uffff", "\U0001f600\U0010ffff", "[eod] a[eod]b [eod", "unused [unused] piece", "′″‴⁗‴″′", "‴′″-‴.,‴",
    "A cinematic shot, 35mm", "ＡＢＣ ①", "Hello  world", "naïve café", "你好",
]
WORDS = """a the photo of cat dog woman riding bicycle sunset mountain (masterpiece:1.2), best quality, 8k ultra-detailed
oil painting Van Gogh's style; "neon sign" 1girl solo long_hair blue eyes <lora:x:0.8> F/1.8 35mm café naïve Ünïcode
don't it's 1,234.56 $99 50% e=mc² x² C++ #hashtag @user http://example.com/a?b=c&d=e ... — – “quoted” ‘single’""".split()


def pools(rnd):
    def span(first, last):
        return [chr(c) for c in range(first, last)]

    wild = [chr(rnd.choice([rnd.randrange(0x20, 0xD800), rnd.randrange(0xE000, 0x110000)])) for _ in range(3000)]
    return [
        list("abcdefghij klmnop qrstuvwxyz  ,.-'"), span(0x20, 0x250), span(0x300, 0x370) + list("aeiou nAE"),
        span(0x1100, 0x1200) + [" "], span(0x2000, 0x2200) + list("ab "), span(0x3040, 0x30FF) + span(0x4E00, 0x4F00) + [" "],
        span(0xFB00, 0xFDFF) + [" "], span(0xFF00, 0xFFEF) + [" "], span(0x900, 0x980) + [" "], wild,
        list("′″‴⁗.,-—!?aabb  ``xX"),
    ]


def corpus(seed, n):
    rnd = random.Random(seed)
    sets, texts = pools(rnd), list(CORNERS)
    while len(texts) < n:
        kind = rnd.randrange(len(sets) + 3)
        if kind < len(sets):
            text = "".join(rnd.choice(sets[kind]) for _ in range(rnd.randrange(1, 24)))
        else:
            text = " ".join(rnd.choice(WORDS) for _ in range(rnd.randrange(1, 12)))
        texts.append(text + rnd.choice(CORNERS) if rnd.random() < 0.05 else text)
    return texts


def make_bytes_model():
    from sentencepiece import sentencepiece_model_pb2 as pb

    model = pb.ModelProto()
    model.ParseFromString(SMALL.read_bytes())
    model.normalizer_spec.precompiled_charsmap = b""
    model.normalizer_spec.name = "identity"
    model.trainer_spec.byte_fallback = True
    kinds = [("[eod]", pb.ModelProto.SentencePiece.USER_DEFINED), ("[unused]", pb.ModelProto.SentencePiece.UNUSED)]
    kinds += [(f"<0x{i:02X}>", pb.ModelProto.SentencePiece.BYTE) for i in range(256)]
    for piece, kind in kinds:
        model.pieces.add(piece=piece, score=0, type=kind)
    path = common.FIXTURES / "unigram" / "bytes.model"
    path.write_bytes(model.SerializeToString(deterministic=True))


def make_fast(name, with_charsmap, pre_tokenizer, normalizers):
    from sentencepiece import sentencepiece_model_pb2 as pb

    model = pb.ModelProto()
    model.ParseFromString(SMALL.read_bytes())
    vocab = [[p.piece, p.score] for p in model.pieces] + [[f"<extra_id_{i}>", 0.0] for i in (1, 0)]
    unk = next(i for i, p in enumerate(model.pieces) if p.type == 2)
    special = [p.piece for p in model.pieces if p.type in (2, 3)] + ["<extra_id_1>", "<extra_id_0>"]
    flags = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    names = [v[0] for v in vocab]
    added = [dict(id=names.index(s), content=s, **flags) for s in special]
    if with_charsmap:
        charsmap = base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()
        normalizers = [dict(type="Precompiled", precompiled_charsmap=charsmap)] + normalizers
    path = common.FIXTURES / "unigram" / name
    path.write_text(json.dumps(dict(
        version="1.0", truncation=None, padding=None, added_tokens=added,
        normalizer=dict(type="Sequence", normalizers=normalizers), pre_tokenizer=pre_tokenizer, post_processor=None,
        decoder=None, model=dict(type="Unigram", unk_id=unk, vocab=vocab),
    ), ensure_ascii=False) + "\n")


def export():
    import sentencepiece
    import tokenizers

    make_bytes_model()
    join = dict(type="Replace", pattern=dict(Regex=" {2,}"), content=" ")
    join_mark = dict(join, content="▁")
    strip = dict(type="Strip", strip_left=False, strip_right=True)
    always = dict(type="Metaspace", replacement="▁", prepend_scheme="always", split=True)
    make_fast("fast.json", True, dict(always, prepend_scheme="first"), [strip, join_mark])
    make_fast("plain.json", False, dict(type="Metaspace", replacement="▁", add_prefix_space=True), [join])
    make_fast("words.json", False, dict(type="Sequence", pretokenizers=[dict(type="WhitespaceSplit"), always]), [])
    cases = {}
    for path, n in ((T5, 1800), (SMALL, 400), (common.FIXTURES / "unigram" / "bytes.model", 400)):
        processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        name = "t5" if path == T5 else path.name
        cases[name] = [[text, processor.encode(text)] for text in corpus(name, n)]
    for name in ("fast.json", "plain.json", "words.json"):
        tokenizer = tokenizers.Tokenizer.from_file(str(common.FIXTURES / "unigram" / name))
        cases[name] = [[text, tokenizer.encode(text, add_special_tokens=False).ids] for text in corpus(name, 400)]
    lines = [f" {json.dumps(name)}: [\n" + ",\n".join("  " + json.dumps(c, ensure_ascii=False) for c in rows) + "\n ]" for name, rows in cases.items()]
    (common.FIXTURES / "unigram" / "cases.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print("unigram:", {name: len(rows) for name, rows in cases.items()})
