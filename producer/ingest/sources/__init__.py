"""Where pictures come from: folders, archives, buckets, web servers; and what is left out."""
