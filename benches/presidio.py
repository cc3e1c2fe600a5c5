#!/usr/bin/env python3
"""What Presidio's pattern recognisers cost and find in the documents of `cargo bench --bench inspect`, rows dense and disguise.

    python3 -m venv target/presidio && target/presidio/bin/pip install presidio-analyzer==2.2.366
    target/presidio/bin/python benches/presidio.py

There is no language model: a blank spaCy pipeline splits words. Names and places are not looked for, by either side.
Prints MB/s of processor time, and how many of the planted values some finding touches.
"""
import json, pathlib, time

import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine

ROOT = pathlib.Path(__file__).resolve().parent.parent
MOST = 400  # documents of each kind, evenly chosen: Presidio takes milliseconds for each


class Blank(SpacyNlpEngine):
    def __init__(self):
        super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
        self.nlp = {"en": spacy.blank("en")}

    def load(self):
        pass


def documents(disguised):
    for name in ("corpus", "probes"):
        for line in (ROOT / f"tests/corpus/{name}.jsonl").read_text(encoding="utf8").splitlines():
            document = json.loads(line.replace("¦", ""))
            if ("evasion" in document) == disguised and "text" in document and document["spans"]:
                yield document


registry = RecognizerRegistry(supported_languages=["en"])
registry.load_predefined_recognizers(languages=["en"], nlp_engine=None)
registry.recognizers = [one for one in registry.recognizers if "Spacy" not in type(one).__name__]
analyzer = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])
for name, disguised in (("dense", False), ("disguise", True)):
    chosen = list(documents(disguised))
    chosen = chosen[:: max(1, len(chosen) // MOST)]
    size = found = planted = 0
    before = time.thread_time()
    for document in chosen:
        text = document["text"]
        size += len(text.encode())
        results = analyzer.analyze(text=text, language="en", score_threshold=0.4)
        spans = [(len(text[: r.start].encode()), len(text[: r.end].encode())) for r in results]
        for value in document["spans"]:
            planted += 1
            found += any(a < value["end"] and value["start"] < b for a, b in spans)
    spent = time.thread_time() - before
    print(f"{name:8} {len(chosen):5} documents {size / 1e6 / spent:8.4f} MB/s, found {found} of {planted} values")
