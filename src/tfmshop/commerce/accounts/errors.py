"""What can go wrong with accounts."""

from tfmshop.platform.errors import Kind, ShopError


class InvalidCredentials(
    ShopError,
    kind=Kind.UNAUTHENTICATED,
    code="invalid_credentials",
    says="The e-mail or the password is wrong.",
):
    """Sign-in failed; unknown, disabled and wrong look the same."""


class SignInRequired(ShopError, kind=Kind.UNAUTHENTICATED, code="sign_in_required", says="Sign in to do this."):
    """The route is for signed-in people, and no valid access token came."""


class NoSuchPerson(ShopError, kind=Kind.NOT_FOUND, code="account_not_found", says="There is no such account."):
    """For staff: nobody has that e-mail address."""


class RefreshInvalid(
    ShopError, kind=Kind.UNAUTHENTICATED, code="refresh_token_invalid", says="The session is over. Sign in again."
):
    """The refresh token is none, was used before, or its session ended."""


class SessionNotFound(ShopError, kind=Kind.NOT_FOUND, code="session_not_found", says="There is no such session."):
    """No live session of the person has that id."""


class LinkInvalid(
    ShopError, kind=Kind.CONFLICT, code="link_invalid", says="The link is not valid any more. Ask for a new one."
):
    """The token of a letter is none, was used, or is too old."""


class AddressNotFound(ShopError, kind=Kind.NOT_FOUND, code="address_not_found", says="There is no such address."):
    """The person has no address with that id; a foreign one looks the same."""


class TooManyKept(ShopError, kind=Kind.CONFLICT, code="too_many_kept", says="No more than {most} are kept."):
    """The person has as many addresses, or wishes, as the shop keeps."""

    most: int


class FactorThere(ShopError, kind=Kind.CONFLICT, code="second_factor_exists", says="There is a second factor already."):
    """It must be taken away before another one is set up."""


class SecondFactorRequired(
    ShopError, kind=Kind.UNAUTHENTICATED, code="second_factor_required", says="Send the code of your app, too."
):
    """The password is right, and the account has a second factor."""


class SecondFactorInvalid(
    ShopError, kind=Kind.UNAUTHENTICATED, code="second_factor_invalid", says="The code is wrong, or was used."
):
    """It is of no app and no recovery code, was used before, or came too soon after wrong ones."""
