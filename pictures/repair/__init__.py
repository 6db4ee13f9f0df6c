"""Pictures that are not sound: leaves out what is broken beside the pixels, and measures what is missing of them."""
