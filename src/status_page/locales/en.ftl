scope-status-page-read = View status pages
scope-status-page-write = Change status pages
