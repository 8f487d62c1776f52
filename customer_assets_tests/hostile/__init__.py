"""The table of hostile inputs, and what becomes of each: answers, headers, records, an operator's mistakes."""
