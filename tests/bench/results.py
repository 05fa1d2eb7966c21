# SPDX-License-Identifier: MIT
"""What was measured, as it goes to a JSON file and into the report."""
import json
import statistics


class Results:
    def __init__(self):
        self.data = {"facts": {}, "corpora": {}, "missing": {}, "notes": [], "builds": [],
                     "reads": [], "overlay": [], "stacks": [], "start": None, "starts": [],
                     "layers": None, "jobs": None, "instructions": [], "large": None}

    def __getitem__(self, key):
        return self.data[key]

    def __setitem__(self, key, value):
        self.data[key] = value

    def note(self, text):
        if text not in self.data["notes"]:
            self.data["notes"].append(text)

    def row(self, kind, **key):
        """The row of builds or reads with this key, made when it is not there."""
        found = self.find(kind, **key)
        if found is None:
            found = dict(key)
            self.data[kind].append(found)
        return found

    def find(self, kind, **key):
        return next((row for row in self.data[kind]
                     if all(row.get(name) == value for name, value in key.items())), None)

    def value(self, row, name):
        """Of several runs the one that the report shows; None: not measured."""
        if not row or not row.get(name):
            return None
        return (min if self.data["facts"]["statistic"] == "min" else statistics.median)(row[name])

    def build(self, corpus, name, what):
        """wall, cpu, peak, random or decode of a build; or image and other single numbers"""
        row = self.find("builds", corpus=corpus, name=name)
        if row is None:
            return None
        return self.value(row, what) if isinstance(row.get(what), list) else row.get(what)

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.data, file, indent=1)

    @classmethod
    def load(cls, path):
        results = cls()
        with open(path, encoding="utf-8") as file:
            results.data.update(json.load(file))
        return results
