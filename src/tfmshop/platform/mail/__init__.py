"""Letters by e-mail: the port, and what stands behind it."""

from tfmshop.platform.mail.letter import Letter, Mailer
from tfmshop.platform.mail.paper import LogMailer
from tfmshop.platform.mail.smtp import CannotSend, SmtpMailer

__all__ = ["CannotSend", "Letter", "LogMailer", "Mailer", "SmtpMailer"]
