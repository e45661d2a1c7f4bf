"""What staff did: noted in the transaction of the change, in a chain that shows what was tampered with."""

from tfmshop.commerce.audit import jobs as jobs
from tfmshop.commerce.audit.chain import SHOWN, Flaw, Verified, unlike, verify
from tfmshop.commerce.audit.jobs import ENDS_HERE
from tfmshop.commerce.audit.log import Act, Entry, listed, note

__all__ = ["ENDS_HERE", "SHOWN", "Act", "Entry", "Flaw", "Verified", "listed", "note", "unlike", "verify"]
