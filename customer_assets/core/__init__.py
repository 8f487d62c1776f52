"""The words that every room uses: fields, record mapping, models, errors, metrics, settings. Imports no other room."""
