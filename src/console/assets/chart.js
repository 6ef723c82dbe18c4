// Charts: what a mouse shows, the keyboard shows, too.
