"""Hold the words every part of the product meets in: ids, events, messages, effects, records, errors."""
