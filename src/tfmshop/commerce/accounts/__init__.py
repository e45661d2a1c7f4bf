"""People: accounts, addresses, sign-in."""

from tfmshop.commerce.accounts import book, email, proofs, sessions
from tfmshop.commerce.accounts import jobs as jobs
from tfmshop.commerce.accounts.errors import RefreshInvalid, SignInRequired
from tfmshop.commerce.accounts.model import Customer, Role
from tfmshop.commerce.accounts.people import (
    NewPerson,
    add_people,
    addresses,
    default_address,
    listing,
    me,
    register,
    set_group,
    sign_in,
)
from tfmshop.commerce.accounts.permissions import NotAllowed, check

__all__ = [
    "Customer",
    "NewPerson",
    "NotAllowed",
    "RefreshInvalid",
    "Role",
    "SignInRequired",
    "add_people",
    "addresses",
    "book",
    "check",
    "default_address",
    "email",
    "listing",
    "me",
    "proofs",
    "register",
    "sessions",
    "set_group",
    "sign_in",
]
