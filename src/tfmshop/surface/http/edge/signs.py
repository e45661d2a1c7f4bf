"""What gives somebody away who looks for holes: signs, each with points and a name that the log explains it by.

Only what no honest customer sends counts by itself: addresses of other people's software, ways out of a folder, the
names of scanners. What looks like an injection counts only where the shop refused the request anyway, so a search for
`drop table` or a review of a book on SQL is nothing but text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

SCANNER, TRAVERSAL, PROBE, INJECTION, FLOOD = "scanner", "traversal", "probe", "injection", "impossible rate"
LOST, REFUSED, FORGED, GUESS, ELSEWHERE = "lost", "refused", "forged token", "wrong sign-in", "page elsewhere"
POINTS: Final = {
    SCANNER: 40, TRAVERSAL: 30, PROBE: 20, INJECTION: 10, FLOOD: 20, GUESS: 3, FORGED: 2, REFUSED: 1, LOST: 1,
    ELSEWHERE: 1,
}  # fmt: skip
"""Of 100 that keep an address out. They halve every five minutes: 20 of an hour ago are nothing."""
WEAK: Final = {LOST, REFUSED, FORGED, GUESS}
"""What many honest people behind one address do together: it neither slows nor blocks by itself."""

_SCANNERS: Final = re.compile(
    rb"(?i)sqlmap|nikto|nmap|masscan|zgrab|nuclei|dirbuster|gobuster|feroxbuster|wpscan|acunetix|nessus|openvas|ffuf"
    rb"|hydra|havij|w3af|arachni|jorgee|netsparker|commix|xsser"
)
_TRAVERSALS: Final = re.compile(rb"\.\.[/\\]|/etc/(?:passwd|shadow)|\\windows\\|/proc/self")
_PROBES: Final = re.compile(
    rb"(?i)/\.(?:env|git|svn|aws|ssh|ds_store|htaccess)|/wp-|/wordpress|/phpmyadmin|\.(?:php|aspx?|jsp|cgi|bak|sql)$"
    rb"|/cgi-bin|/actuator|/server-status|/solr/|/jenkins|/boaform|/_ignition"
)
_INJECTIONS: Final = re.compile(
    rb"(?i)\bunion\b.{1,40}\bselect\b|\bor\b\s{1,9}\d{1,9}\s{0,9}=\s{0,9}\d"
    rb"|['\"]\s{0,9}(?:or|and)\s{1,9}['\"]?\w{1,20}['\"]?\s{0,9}(?:=|like\b)"
    rb"|;\s{0,9}(?:drop|delete|insert|update)\b|\b(?:sleep|benchmark|pg_sleep|extractvalue)\s{0,9}\(|\bwaitfor\s{1,9}delay"
    rb"|<script|javascript:|\bon(?:error|load)\s{0,9}=|\$\{jndi:|\{\{[^{}]{0,100}\}\}|information_schema|xp_cmdshell"
)
"""Bounded everywhere, so that no text takes longer than its length."""


@lru_cache(maxsize=1024)
def is_scanner(agent: bytes) -> bool:
    """Whether a `User-Agent` is that of a program that looks for holes."""
    return bool(_SCANNERS.search(agent))


def of_request(path: bytes, agent: bytes) -> list[str]:
    """The signs that a request has by itself."""
    found = []
    if is_scanner(agent):
        found.append(SCANNER)
    if (b".." in path or b"%" in path or b"etc/" in path) and _TRAVERSALS.search(_plain(path)):
        found.append(TRAVERSAL)
    return found


def _plain(text: bytes) -> bytes:
    """What text says that was encoded once or twice."""
    return unquote_to_bytes(unquote_to_bytes(text))


def of_somebody_elses_page(found: list[str]) -> list[str]:
    """The signs of a request that a page elsewhere had a browser send (`Sec-Fetch-Site: cross-site`), as for a picture:
    who looks at the page did not choose the address, so what is wrong with that counts little, and blocks nobody; a
    scanner that says so is slowed. What names a scanner is the browser's own.
    """
    return [sign if sign in WEAK or sign == SCANNER else ELSEWHERE for sign in found]


def of_answer(status: int, path: bytes, query: bytes, body: bytes, *, forged: bool) -> list[str]:
    """The signs that a request has because the shop refused it."""
    if status < 400 or status >= 500:
        return []
    found = [FORGED] if forged else []
    if status == 404:
        found.append(PROBE if _PROBES.search(path) else LOST)
    elif status in (400, 405, 422):
        found.append(REFUSED)
    elif status == 401 and path.endswith(b"/auth/login"):
        found.append(GUESS)
    if status not in (400, 404, 422):
        return found
    asked = _plain(path + b"?" + query).replace(b"+", b" ")
    if _TRAVERSALS.search(_plain(query)):
        found.append(TRAVERSAL)
    if _INJECTIONS.search(asked) or _INJECTIONS.search(body[:20_000]):
        found.append(INJECTION)
    return found
