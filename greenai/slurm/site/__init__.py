"""A site's own collectors: the Prolog starts one per job and node, the Epilog stops it; no user does anything."""
