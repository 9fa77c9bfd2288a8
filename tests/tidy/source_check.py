#!/usr/bin/env python3
"""House rules that a compiler does not know: function length, file length, unfinished work, machine paths."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 900
BANNED = [
    (re.compile(r"\b(TODO|FIXME|XXX)\b"), "unfinished work"),
    (re.compile(r"(?<![\w.])/(work|root|farm)/\w"), "a path of one machine"),
    (re.compile(r"\b(strcpy|strcat|sprintf|gets|strtok)\s*\("), "an unbounded string function"),
]
SOURCE = (".c", ".h", ".py", ".go", ".sh", ".yaml", ".md", ".cmake", ".txt")


def tracked():
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    return [n for n in names if n.endswith(SOURCE) and n != "tests/tidy/source_check.py" and os.path.isfile(os.path.join(ROOT, n))]


def check_text(name, problems):
    with open(os.path.join(ROOT, name), errors="replace") as text:
        lines = text.readlines()
    if name.endswith((".c", ".h")) and len(lines) > FILE_LINES_MAX:
        problems.append(f"{name}: {len(lines)} lines, {FILE_LINES_MAX} at most")
    for number, line in enumerate(lines, 1):
        for pattern, what in BANNED:
            product = name.endswith((".c", ".h")) and not name.endswith("_test.c")
            if pattern.search(line) and (product or what != "an unbounded string function"):
                problems.append(f"{name}:{number}: {what}: {line.strip()[:100]}")


def check_functions(names, problems):
    """Tests may be long tables; the product's functions may not."""
    names = [n for n in names if n.endswith(".c") and not n.endswith("_test.c")]
    out = subprocess.run(["ctags", "--languages=C", "--kinds-C=f", "--fields=+ne", "-o", "-", "-L", "-"],
                         cwd=ROOT, input="\n".join(names), check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        fields = line.split("\t")
        numbers = {k: int(v) for k, v in (f.split(":") for f in fields if re.fullmatch(r"(line|end):\d+", f))}
        length = numbers.get("end", 0) - numbers.get("line", 0) + 1
        if length > FUNCTION_LINES_MAX:
            problems.append(f"{fields[1]}:{numbers['line']}: {fields[0]} has {length} lines, {FUNCTION_LINES_MAX} at most")


def main():
    names, problems = tracked(), []
    for name in names:
        check_text(name, problems)
    check_functions(names, problems)
    print("\n".join(problems) or f"{len(names)} files in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
