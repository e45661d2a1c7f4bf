"""People: accounts, addresses, sign-in."""

from tfmshop.commerce.accounts import book, email, proofs, second_factor, sessions
from tfmshop.commerce.accounts import jobs as jobs
from tfmshop.commerce.accounts.errors import RefreshInvalid, SecondFactorInvalid, SignInRequired
from tfmshop.commerce.accounts.model import Customer, Role
from tfmshop.commerce.accounts.people import (
    NewPerson,
    add_people,
    listing,
    me,
    register,
    set_group,
    sign_in,
)
from tfmshop.commerce.accounts.permissions import NotAllowed, SecondFactorNeeded, check

__all__ = [
    "Customer",
    "NewPerson",
    "NotAllowed",
    "RefreshInvalid",
    "Role",
    "SecondFactorInvalid",
    "SecondFactorNeeded",
    "SignInRequired",
    "add_people",
    "book",
    "check",
    "email",
    "listing",
    "me",
    "proofs",
    "register",
    "second_factor",
    "sessions",
    "set_group",
    "sign_in",
]
