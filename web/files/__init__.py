"""The files of pictures as they are shown: which may be, and small ones that are kept."""
