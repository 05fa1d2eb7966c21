# SPDX-License-Identifier: MIT
"""A chart as SVG: for each corpus a list of all images, smallest first, with bars for
size, for the CPU time that it took, and for what a small read costs."""
from html import escape

ROW = 17
HEAD = 66
NAME, BAR, VALUE, GAP = 350, 150, 52, 14
WIDTH = NAME + 3 * (BAR + VALUE + GAP) + 20
COLUMNS = (("image", "image, MB", 1e6, ".1f"), ("cpu", "CPU, s", 1.0, ".1f"),
           ("random", "cold random 4 KiB, us", 1.0, ".0f"))
COLOURS = (("mica", "#0f766e"), ("newer mkfs.erofs", "#b45309"), ("mkfs.erofs", "#d97706"),
           ("newer mksquashfs", "#64748b"), ("mksquashfs", "#94a3b8"), ("", "#7c3aed"))


def colour(name):
    return next(value for start, value in COLOURS if name.startswith(start))


class Svg:
    def __init__(self):
        self.parts = []
        self.y = 0

    def text(self, x, y, text, size=11, anchor="start", fill="#1f2937", weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" '
                          f'text-anchor="{anchor}" fill="{fill}" font-weight="{weight}">'
                          f'{escape(text)}</text>')

    def bar(self, x, y, width, fill):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" '
                          f'height="{ROW - 5}" fill="{fill}"/>')

    def line(self, x1, y1, x2, y2):
        self.parts.append(f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#e5e7eb"/>')

    def whole(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.y}" '
                f'viewBox="0 0 {WIDTH} {self.y}" font-family="DejaVu Sans, Verdana, sans-serif">\n'
                f'<rect width="{WIDTH}" height="{self.y}" fill="#ffffff"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")


def limit(values):
    """The longest bar: a few far outliers are cut off, so that the others can be told apart."""
    values = sorted(values)
    typical = values[len(values) // 2] * 4
    return min(values[-1], typical)


def panel(svg, title, rows):
    svg.text(16, svg.y + 24, title, 14, weight="bold")
    for index, (_, label, _, _) in enumerate(COLUMNS):
        svg.text(NAME + index * (BAR + VALUE + GAP), svg.y + 48, label, 11, fill="#6b7280")
    top = svg.y + HEAD - 8
    for index, (what, _, scale, form) in enumerate(COLUMNS):
        x = NAME + index * (BAR + VALUE + GAP)
        values = [row[what] for row in rows if row[what]]
        if not values:
            continue
        most = limit(values)
        for number, row in enumerate(rows):
            y = top + number * ROW
            if not row[what]:
                continue
            length = min(1.0, row[what] / most) * BAR
            svg.bar(x, y, length, colour(row["name"]))
            if row[what] > most:  # cut off: a gap in the bar says so
                svg.parts.append(f'<path d="M{x + BAR - 14:.1f} {y + ROW - 3}l6 -{ROW}" '
                                 'stroke="#ffffff" stroke-width="3"/>')
            svg.text(x + length + 4, y + 10, format(row[what] / scale, form), 10)
    for number, row in enumerate(rows):
        y = top + number * ROW
        ours = row["name"].startswith("mica")
        svg.text(NAME - 8, y + 10, row["name"], 11, "end", weight="bold" if ours else "normal")
        svg.line(16, y + ROW - 2, WIDTH - 16, y + ROW - 2)
    svg.y = top + len(rows) * ROW + 22


def draw(results):
    svg = Svg()
    for corpus, facts in results["corpora"].items():
        rows = []
        for row in results["builds"]:
            if row["corpus"] != corpus or "image" not in row:
                continue
            rows.append({"name": row["name"], **{what: results.build(corpus, row["name"], what)
                                                 for what, _, _, _ in COLUMNS}})
        if rows:
            rows.sort(key=lambda row: row["image"])
            panel(svg, f"{corpus}: a tar of {facts['bytes'] / 1e6:.0f} MB, "
                  f"{facts['entries']} entries", rows)
    svg.y = max(svg.y, 40)
    return svg.whole()
