# SPDX-License-Identifier: MPL-2.0
"""Captions for the pictures, and the tokenizer that reads them.

Every picture gets many captions: its Unicode name with and without an article, its head noun
('apple' for 'red apple'), its CLDR keywords, its colours, its background, since a user may type any
of them.
"""
import re

from transformers import CLIPTokenizer

from common import HERE

MAX_TOKENS = 77
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black",
           "gray", "white")

# What people call the pictures that Unicode names otherwise.
OTHER_NAMES = {
    "alarm clock": ["clock"],
    "american football": ["football"],
    "artist palette": ["palette", "paint palette"],
    "automobile": ["car", "red car"],
    "baby chick": ["chick"],
    "beer mug": ["beer", "mug of beer"],
    "birthday cake": ["cake"],
    "blossom": ["flower", "yellow flower"],
    "blowfish": ["puffer fish"],
    "bouquet": ["bunch of flowers"],
    "bug": ["caterpillar"],
    "candy": ["sweet"],
    "cheese wedge": ["cheese"],
    "Christmas tree": ["christmas tree with lights"],
    "closed book": ["book", "red book"],
    "clown face": ["clown"],
    "cooking": ["fried egg", "frying pan"],
    "crying face": ["sad face"],
    "deciduous tree": ["tree", "green tree"],
    "delivery truck": ["truck"],
    "doughnut": ["donut"],
    "dove": ["white bird"],
    "dragon face": ["dragon"],
    "droplet": ["drop of water"],
    "drum": ["drums"],
    "ear of corn": ["corn", "maize"],
    "eggplant": ["aubergine"],
    "enraged face": ["angry face"],
    "evergreen tree": ["pine tree", "fir tree"],
    "face screaming in fear": ["scared face"],
    "face with tears of joy": ["laughing face"],
    "face with tongue": ["face sticking out its tongue"],
    "fallen leaf": ["autumn leaves"],
    "fire engine": ["fire truck"],
    "flying saucer": ["ufo"],
    "french fries": ["fries"],
    "full moon": ["moon"],
    "game die": ["die", "dice"],
    "gem stone": ["diamond", "gem"],
    "glasses": ["spectacles"],
    "globe showing Europe-Africa": ["globe", "earth", "planet earth"],
    "grinning face": ["smiley", "smile", "happy face"],
    "hatching chick": ["chick in an egg"],
    "hibiscus": ["red flower"],
    "high voltage": ["lightning bolt", "lightning"],
    "high-heeled shoe": ["high heel"],
    "honey pot": ["honey", "pot of honey"],
    "honeybee": ["bee"],
    "hot beverage": ["coffee", "cup of coffee", "cup of tea"],
    "hot pepper": ["pepper", "chili pepper"],
    "hourglass done": ["hourglass"],
    "jack-o-lantern": ["pumpkin"],
    "kiss mark": ["lips"],
    "kiwi fruit": ["kiwi"],
    "lady beetle": ["ladybug", "ladybird"],
    "light bulb": ["bulb", "lamp"],
    "locked": ["padlock", "lock"],
    "locomotive": ["steam locomotive", "train"],
    "maple leaf": ["leaf"],
    "mobile phone": ["phone", "smartphone"],
    "musical keyboard": ["piano", "piano keys"],
    "musical note": ["note"],
    "nauseated face": ["sick face"],
    "nerd face": ["nerd"],
    "paintbrush": ["brush"],
    "pile of poo": ["poo", "poop"],
    "rabbit face": ["rabbit", "bunny"],
    "red apple": ["apple"],
    "red heart": ["heart"],
    "ringed planet": ["planet", "saturn"],
    "running shoe": ["shoe", "sneaker"],
    "sailboat": ["sailing boat"],
    "ship": ["boat"],
    "shopping cart": ["cart"],
    "shortcake": ["cake slice"],
    "smiling face with halo": ["angel face"],
    "smiling face with heart-eyes": ["face in love"],
    "smiling face with horns": ["devil", "devil face"],
    "smiling face with sunglasses": ["cool face"],
    "soccer ball": ["ball", "football ball"],
    "soft ice cream": ["ice cream cone"],
    "spouting whale": ["whale"],
    "t-shirt": ["shirt"],
    "tangerine": ["orange fruit", "mandarin"],
    "taxi": ["cab"],
    "television": ["tv"],
    "tennis": ["tennis ball", "tennis racket"],
    "top hat": ["hat"],
    "video game": ["game controller"],
    "water wave": ["wave", "sea"],
    "wine glass": ["wine", "glass of wine"],
    "wrapped gift": ["gift", "present"],
}


def clean(text):
    text = re.sub("[“”⊛]", "", text.replace("’", "'")).lower().strip()
    return re.sub(r"\s+", " ", text)


def with_article(text):
    if text.startswith(("a ", "an ")):
        return text
    return ("an " if text[:1] in "aeiou" else "a ") + text


class Captioner:
    """Draws captions for records of meta.json.

    known: the records that the model must know. Each answers to other names too, and an animal's
    face to the animal's bare name unless the whole animal is also known ('cat' and 'cat face').
    """

    def __init__(self, known):
        names = {clean(record["name"]) for record in known}
        self.other_names = {}
        for record in known:
            others = list(OTHER_NAMES.get(record["name"], []))
            animal = clean(record["name"]).removesuffix(" face")
            if record["group"] == "Animals & Nature" and animal not in names:
                others.append(animal)
            self.other_names[record["name"]] = others

    def subject(self, record, rng):
        name = clean(rng.choice(record["names"]))
        if ": " in name:
            first, second = name.split(": ", 1)
            name = rng.choice([name, second, f"{second} {first}"])
        if record["sub"].startswith("face") and "face" not in name:
            name += rng.choice([" face", ""])
        others = self.other_names.get(record["name"])
        if others and rng.random() < 0.35:
            name = rng.choice(others)
        return name

    def caption(self, record, background, rng):
        text = self.subject(record, rng)
        keywords = [clean(k) for k in record["keywords"]]
        keywords = [k for k in keywords if k not in text and len(k) < 24]
        rng.shuffle(keywords)
        coloured = any(colour in text.split() for colour in COLOURS)
        kind = rng.random()
        if kind < 0.36:
            text = with_article(text)
        elif kind < 0.46 and record["colours"] and not coloured:
            text = with_article(f"{rng.choice(record['colours'])} {text}")
        elif kind < 0.60 and keywords:
            text = ", ".join([text] + keywords[:rng.randint(1, 3)])
        if rng.random() < 0.12:
            text = rng.choice(["emoji of ", "a picture of ", "an icon of ", "a drawing of "]) + text
        if background != "white":
            text += rng.choice([" on a %s background", ", %s background",
                                " with a %s background"]) % background
        elif rng.random() < 0.1:
            text += rng.choice([" on a white background", ", white background"])
        return text


def tokenizers():
    """The two tokenizers of SDXL: the first pads with the end token, the second with '!', id 0."""
    return tuple(CLIPTokenizer.from_pretrained(HERE / "tokenizer", pad_token=pad,
                                               model_max_length=MAX_TOKENS)
                 for pad in ("<|endoftext|>", "!"))
