"""Setting up, registering, signing in and out, passwords, tokens, users."""

from __future__ import annotations

import secrets
from contextlib import suppress
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Depends, Response

from podium.service import accounts, registration
from podium.service.access import COOKIE_NAME, Address, Admin, Anyone, Place, csrf_token, own_page
from podium.service.accounts import Caller, Role, caller_of
from podium.service.installation import Installation
from podium.service.mail import send
from podium.service.passwords import fits, hashed
from podium.service.problems import ConflictError, ForbiddenError, NotSetUpError
from podium.service.routes import API
from podium.service.tables import User
from podium.service.throttle import count_try, forgive
from podium.service.views import (
    Accepted,
    Confirmation,
    Credentials,
    FirstUser,
    NewToken,
    NewUser,
    NewUserWithRole,
    PasswordByToken,
    PasswordChange,
    ProfileChange,
    ResetWish,
    SessionView,
    SetupView,
    TokenOnce,
    TokenView,
    UserChange,
    UserView,
)

router = APIRouter(prefix=API, dependencies=[Depends(own_page)])
SETUP_CODE = "setup code"
_CODE_DIGITS = 16


def setup_code(place: Installation) -> str:
    """What proves that the first visitor is who started the server; empty where no other machine reaches it."""
    return "" if place.settings.local_only else place.seal.digest(SETUP_CODE, "")[:_CODE_DIGITS]


def _session_view(place: Installation, caller: Caller) -> SessionView:
    return SessionView(
        user_id=caller.user_id,
        email=caller.email,
        name=caller.name,
        role=caller.role,
        csrf_token=csrf_token(place, caller.login or ""),
    )


def _signed_in(place: Installation, response: Response, user: User) -> SessionView:
    """Open a session and set its cookie."""
    cookie = accounts.open_login(place, user.id)
    seconds = int(place.settings.session_hours * 3600)
    response.set_cookie(
        COOKIE_NAME, cookie, max_age=seconds, secure=place.settings.secure, httponly=True, samesite="strict"
    )
    return _session_view(place, caller_of(user, login=place.seal.digest(accounts.COOKIE, cookie)))


@router.get("/setup", tags=["setup"])
def read_setup(place: Place) -> SetupView:
    """Whether the first admin is still to be made, and what else a visitor may do."""
    with place.database.reading() as session:
        needed = not accounts.is_set_up(session)
    return SetupView(
        needed=needed,
        code_needed=needed and bool(setup_code(place)),
        registration=place.settings.registration,
        mail=place.settings.mail is not None,
    )


@router.post("/setup", status_code=HTTPStatus.CREATED, tags=["setup"])
def set_up(first: FirstUser, place: Place, address: Address, response: Response) -> SessionView:
    """Make the first admin, and sign in. Works once."""
    count_try(place, f"setup {address}", address)
    code = setup_code(place)
    if not secrets.compare_digest(first.code.encode(), code.encode()) and code:
        raise ForbiddenError("the setup code is wrong; it was shown where the server was started")
    user = accounts.set_up(place, first.email, first.name, first.password.get_secret_value())
    return _signed_in(place, response, user)


@router.post("/register", status_code=HTTPStatus.ACCEPTED, tags=["session"])
def register(wish: NewUser, place: Place, address: Address, later: BackgroundTasks) -> Accepted:
    """Make an account. The answer does not tell whether the address has one already.

    Where the server sends mail, a letter must be confirmed first (`POST /register/confirm`); who owns an address that
    has an account hears of it.
    """
    _ensure_registration(place)
    with place.database.reading() as session:
        if not accounts.is_set_up(session):
            raise ConflictError("the first admin must be made first")
    count_try(place, f"register {wish.email}", address)
    if place.settings.mail is not None:
        password_hash = hashed(wish.password.get_secret_value())
        later.add_task(registration.invite, place, wish.email, wish.name, password_hash)
        return Accepted(detail="A letter is under way; its link makes the account.")
    with suppress(ConflictError):
        accounts.add_user(place, wish.email, wish.name, wish.password.get_secret_value(), Role.operator)
    return Accepted(detail="If the address had no account, it has one now: sign in.")


@router.post("/register/confirm", status_code=HTTPStatus.NO_CONTENT, tags=["session"])
def confirm_registration(given: Confirmation, place: Place, address: Address) -> None:
    """Make the account by the token of the letter, once; then one can sign in."""
    _ensure_registration(place)
    counted = count_try(place, f"confirm by token {address}", address)
    registration.confirm(place, given.token)
    forgive(place, counted)


def _ensure_registration(place: Installation) -> None:
    if not place.settings.registration:
        raise ForbiddenError("registration is switched off; ask an admin")


@router.post("/session", tags=["session"])
def sign_in(given: Credentials, place: Place, address: Address, response: Response) -> SessionView:
    """Sign in: sets the cookie of the session."""
    counted = count_try(place, given.email, address)
    user = accounts.checked_user(place, given.email, given.password.get_secret_value())
    forgive(place, counted)
    return _signed_in(place, response, user)


@router.get("/session", tags=["session"])
def read_session(caller: Anyone, place: Place) -> SessionView:
    """Who is signed in."""
    return _session_view(place, caller)


@router.delete("/session", status_code=HTTPStatus.NO_CONTENT, tags=["session"])
def sign_out(caller: Anyone, place: Place, response: Response) -> None:
    """Sign out: the session is over, also for whoever has its cookie."""
    accounts.close_login(place, caller.login or "")
    response.delete_cookie(COOKIE_NAME, secure=place.settings.secure, httponly=True, samesite="strict")


@router.patch("/profile", tags=["session"])
def change_profile(change: ProfileChange, caller: Anyone, place: Place) -> UserView:
    """Change one's own name."""
    accounts.rename_user(place, caller.user_id, change.name)
    with place.database.reading() as session:
        return UserView.model_validate(session.get(User, caller.user_id))


@router.put("/profile/password", status_code=HTTPStatus.NO_CONTENT, tags=["session"])
def change_password(change: PasswordChange, caller: Anyone, place: Place, address: Address) -> None:
    """Change one's own password; all other sessions end."""
    counted = count_try(place, caller.email, address)
    with place.database.reading() as session:
        user = session.get(User, caller.user_id)
    if not fits(change.old.get_secret_value(), None if user is None else user.password_hash):
        raise ForbiddenError("the old password is wrong")
    forgive(place, counted)
    accounts.set_password(place, caller.user_id, change.new.get_secret_value(), keep_login=caller.login)


@router.post("/password-reset", status_code=HTTPStatus.ACCEPTED, tags=["session"])
def ask_reset(wish: ResetWish, place: Place, address: Address, later: BackgroundTasks) -> Accepted:
    """Ask for a letter by which a new password can be set. The answer does not tell whether there is such a user."""
    if place.settings.mail is None:
        raise NotSetUpError("this server sends no mail; ask an admin")
    count_try(place, f"reset {wish.email}", address)
    later.add_task(_write_to, place, wish.email)
    return Accepted(detail="If the address has an account, a letter is under way.")


def _write_to(place: Installation, email: str) -> None:
    """After the answer, so that its time tells nothing."""
    token = accounts.open_reset(place, email)
    if token is None or place.settings.mail is None:
        return
    link = f"{place.settings.url}/reset-password?token={token}"
    text = f"Somebody, hopefully you, asked for a new password. Within an hour, set it here:\n\n{link}\n"
    send(place.settings.mail, email, "Set a new Podium password", text)


@router.post("/password-reset/confirm", status_code=HTTPStatus.NO_CONTENT, tags=["session"])
def reset_password(given: PasswordByToken, place: Place, address: Address) -> None:
    """Set the password by the token of the letter, once; all sessions end."""
    counted = count_try(place, f"reset by token {address}", address)
    accounts.reset_password(place, given.token, given.password.get_secret_value())
    forgive(place, counted)


@router.get("/tokens", tags=["tokens"])
def list_tokens(caller: Anyone, place: Place) -> list[TokenView]:
    """One's own API tokens."""
    with place.database.reading() as session:
        return [TokenView.model_validate(row) for row in accounts.tokens(session, caller.user_id)]


@router.post("/tokens", status_code=HTTPStatus.CREATED, tags=["tokens"])
def make_token(wish: NewToken, caller: Anyone, place: Place) -> TokenOnce:
    """Make an API token. Its text is shown in this answer and never again."""
    row, text = accounts.add_token(place, caller.user_id, wish.name, wish.scopes, wish.days)
    return TokenOnce(**TokenView.model_validate(row).model_dump(), token=text)


@router.delete("/tokens/{token_id}", status_code=HTTPStatus.NO_CONTENT, tags=["tokens"])
def drop_token(token_id: UUID, caller: Anyone, place: Place) -> None:
    """Delete an API token."""
    accounts.drop_token(place, caller.user_id, token_id)


@router.get("/users", tags=["users"])
def list_users(_caller: Admin, place: Place) -> list[UserView]:
    """All users, for admins."""
    with place.database.reading() as session:
        return [UserView.model_validate(user) for user in accounts.users(session)]


@router.post("/users", status_code=HTTPStatus.CREATED, tags=["users"])
def make_user(wish: NewUserWithRole, _caller: Admin, place: Place) -> UserView:
    """Make a user, for admins."""
    user = accounts.add_user(place, wish.email, wish.name, wish.password.get_secret_value(), wish.role)
    return UserView.model_validate(user)


@router.patch("/users/{user_id}", tags=["users"])
def change_user(user_id: UUID, change: UserChange, _caller: Admin, place: Place) -> UserView:
    """Give a user another role, lock or unlock an account, for admins."""
    return UserView.model_validate(accounts.change_user(place, user_id, change.role, change.active))
