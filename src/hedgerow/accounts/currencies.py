"""The currencies a project can count in: those with rates of the European Central Bank, and those fixed to the euro."""

from typing import Final

_CURRENT: Final = """
    AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF IDR ILS INR ISK JPY KRW MXN MYR NOK NZD PHP PLN RON SEK SGD THB TRY
    USD ZAR
"""
_FIXED_OR_PAST: Final = "BGN CYP EEK HRK LTL LVL MTL ROL RUB SIT SKK TRL XAF XOF XPF"
CURRENCIES: Final = frozenset(f"{_CURRENT} {_FIXED_OR_PAST}".split())
