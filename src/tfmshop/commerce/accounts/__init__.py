"""People: accounts, addresses, sign-in."""

from tfmshop.commerce.accounts import (
    book,
    email,
    errors,
    identities,
    permissions,
    proofs,
    second_factor,
    sessions,
    staff,
)
from tfmshop.commerce.accounts import jobs as jobs
from tfmshop.commerce.accounts.caution import Caller, Caution
from tfmshop.commerce.accounts.errors import SignInRequired
from tfmshop.commerce.accounts.model import Customer, Role
from tfmshop.commerce.accounts.people import (
    NewPerson,
    add_people,
    listing,
    me,
    register,
    sign_in,
)

__all__ = [
    "Caller",
    "Caution",
    "Customer",
    "NewPerson",
    "Role",
    "SignInRequired",
    "add_people",
    "book",
    "email",
    "errors",
    "identities",
    "listing",
    "me",
    "permissions",
    "proofs",
    "register",
    "second_factor",
    "sessions",
    "sign_in",
    "staff",
]
