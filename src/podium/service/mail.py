"""Letters."""

from __future__ import annotations

import logging
import smtplib
import ssl
from email.message import EmailMessage

from podium.service.settings import Mail

_SECONDS = 20.0
_log = logging.getLogger(__name__)


def send(mail: Mail, to: str, subject: str, text: str) -> bool:
    """Send a letter; a server that does not take it is an entry in the log and False."""
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = mail.sender, to, subject
    letter.set_content(text)
    try:
        with _connected(mail) as server:
            if mail.user is not None and mail.password is not None:
                server.login(mail.user, mail.password.get_secret_value())
            server.send_message(letter)
    except (OSError, smtplib.SMTPException) as error:
        _log.error("a letter could not be sent: %s", error)
        return False
    return True


def _connected(mail: Mail) -> smtplib.SMTP:
    if mail.encryption == "tls":
        return smtplib.SMTP_SSL(mail.host, mail.port, timeout=_SECONDS, context=ssl.create_default_context())
    server = smtplib.SMTP(mail.host, mail.port, timeout=_SECONDS)
    if mail.encryption == "starttls":
        server.starttls(context=ssl.create_default_context())
    return server
