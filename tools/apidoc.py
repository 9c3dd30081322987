"""How the site shows a public name: its signature, what it does, and a table of its arguments.

nbdev asks `Shown` for each name (`renderer` in settings.ini). The table is made of the docstring,
in which arguments stand as `name: what it is`; nothing is written twice."""
import html
import inspect
import re

from nbdev.showdoc import BasicMarkdownRenderer

WIDTH = 88  # of a signature, in characters: what a column of the site shows
EMPTY = inspect.Parameter.empty
# "name: " or "name, other: " where a sentence or a part of one begins
MARK = re.compile(r"(?:^|(?<=\s))((?:\w+,\s)*\w+):\s(?=\S)")
ERRORS = re.compile(r"(?<=[.)])\s(?=`?InputError`?\b|Raises )")
STRAY = re.compile(r"[;,]?(?:\s+(?:or|and))?\s*$")


def arguments(doc, names):
    """A docstring in three: what comes before its arguments, name -> what is said of it, and what
    comes after."""
    marks = [m for m in MARK.finditer(doc) if begins(doc, m) or known(m, names)]
    first = next((m for m in marks if known(m, names)), None)
    if first is None: return doc, {}, ""
    told, rest = {}, []
    marks = [m for m in marks if m.start() >= first.start()]
    for m, following in zip(marks, [*marks[1:], None]):
        text, *paragraphs = doc[m.end():following and following.start()].split("\n\n")
        text, *errors = ERRORS.split(text)
        if known(m, names): told |= dict.fromkeys(named(m), sentence(text))
        else: rest.append(f"{m[1]}: {text}")
        rest += errors + paragraphs
    return doc[:first.start()].rstrip(), told, "\n\n".join(r.strip() for r in rest if r.strip())


def begins(doc, mark):
    "Whether a mark begins a sentence, and so may end what is said of an argument."
    return not doc[:mark.start()].rstrip() or doc[:mark.start()].rstrip()[-1] in ".)"


def named(mark): return re.split(r",\s", mark[1])


def known(mark, names): return set(named(mark)) <= set(names)


def sentence(text):
    "One line, ended like a sentence."
    text = STRAY.sub("", " ".join(text.split()))
    return text if text.endswith((".", ")")) else f"{text}."


def table(rows):
    "A table of Markdown: argument, default, what it is."
    cell = lambda text: text.replace("|", "\\|")
    body = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return "\n".join(["| argument | default | |", "|---|---|---|", *body])


def parameters(thing):
    "The parameters of a function or a class, without self."
    made = inspect.isclass(thing) and thing.__init__ is not object.__init__
    try: found = inspect.signature(thing.__init__ if made else thing).parameters.values()
    except (TypeError, ValueError): return []
    return [p for p in found if p.name not in ("self", "cls")]


def default(p):
    "The default of a parameter; that of an option of the command line is within it."
    if not is_option(p): return p.default
    value = p.default.default
    if callable(value): value = value()  # one that is looked up where it lives
    return EMPTY if value is ... else value


def help_of(p):
    "What the command line says of an option, with what stands in braces looked up."
    from vae_circuits.options import BRACES, words_of
    return BRACES.sub(lambda m: str(words_of(m[1])), p.default.help or "")


def is_option(p): return type(p.default).__name__ in ("OptionInfo", "ArgumentInfo")


def written(value): return getattr(value, "__name__", None) or repr(value)


def code(text):
    "Set like code, but no link: an argument may have the name of something else."
    return f"<code>{html.escape(text)}</code>"


def annotation(kind):
    "A type without the modules that it comes from."
    text = kind if isinstance(kind, str) else inspect.formatannotation(kind)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text)


def signature(name, thing):
    "A call with its defaults, on as many lines as it takes."
    parts = []
    for p in parameters(thing):
        if p.kind == p.KEYWORD_ONLY and not any(part.startswith("*") for part in parts):
            parts.append("*")  # the next ones need their names
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        kind = "" if p.annotation is EMPTY else f": {annotation(p.annotation)}"
        value = "" if default(p) is EMPTY else f" = {written(default(p))}"
        parts.append(f"{star}{p.name}{kind}{value}")
    gives = getattr(thing, "__annotations__", {}).get("return")
    arrow = "" if inspect.isclass(thing) or gives is None else f" -> {annotation(gives)}"
    call = f"{name}({', '.join(parts)}){arrow}"
    return call if len(call) <= WIDTH else "\n".join([f"{name}(", *lines(parts), f"){arrow}"])


def lines(parts):
    "Parameters in lines, none of them broken."
    found = [""]
    for part in parts:
        if len(found[-1]) + len(part) > WIDTH - 6 and found[-1]: found.append("")
        found[-1] += f"{part}, "
    return [f"    {line.strip()}" for line in found[:-1]] + [f"    {found[-1].rstrip(', ')}"]


def description(thing):
    "What a thing says of itself: text, and a table of its arguments."
    params = parameters(thing)
    doc = (inspect.getdoc(thing) or "").replace("Call self as a function.", "")
    before, told, after = arguments(doc, [p.name for p in params])
    told |= {p.name: help_of(p) for p in params if is_option(p)}
    rows = [(code(p.name), "" if default(p) is EMPTY else code(written(default(p))), told[p.name])
            for p in params if p.name in told]
    return "\n\n".join(part for part in (before, table(rows) if rows else "", after) if part)


class Shown(BasicMarkdownRenderer):
    "A public name on the site."
    def _repr_markdown_(self):
        head, rest = super()._repr_markdown_().split("```python\n", 1)
        if not callable(self.sym): return f"{head}```python\n{rest}"
        return f"{head}```python\n{signature(self.nm, self.sym)}\n```\n\n{description(self.sym)}"
