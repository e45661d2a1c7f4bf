"""Words that several modules use: what is an address that a letter can reach."""

from __future__ import annotations

from email.headerregistry import Address

import pytest

from tfmshop.commerce.vocabulary import is_email


@pytest.mark.parametrize("text", [
    "ada@example.com", "o'neil+tag@example.co.uk", "a.b-c_d@xn--bcher-kva.example", "x!#$%&*/=?^`{|}~@example.com",
])  # fmt: skip
def test_what_letters_reach(text):
    assert is_email(text)
    Address(addr_spec=text)


@pytest.mark.parametrize("text", [
    "a@x.y,", "a@x.y)", "a@x.y>", "a..b@example.com", "(x)@example.com", ".a@example.com", "a.@example.com",
    "a@-example.com", "a@example.com-", "a@exa mple.com", "a,b@example.com", "a;b@example.com", "a<b@example.com",
    '"a b"@example.com', "a@b@example.com", "a@[127.0.0.1]", "a:b@example.com", "a@example.com\n", "a\\b@example.com",
    "a@example", f"{'a' * 65}@example.com", "@example.com", "ü@exämple.com", "a@example..com",
])  # fmt: skip
def test_what_none_reaches(text):
    assert not is_email(text)
