scope-files-read = List and read files
scope-files-write = Write and delete files
scope-files-admin = Make and change buckets
files-link-title = Shared file
files-link-locked = This link is protected by a password.
files-link-password = Password
files-link-open = Open
files-link-wrong = This is not the password.
files-link-download = Download
files-link-gone = This link leads nowhere
files-link-gone-text = It has expired, was taken back, or never existed. Ask whoever sent it for another one.
files-link-expires = Good until
files-link-empty = This folder is empty.
files-link-up = To the folder above
files-link-more = More files
files-title = Files
files-lead = Buckets of files, for people and programs: in the browser, by the API and by S3
files-tab-buckets = Buckets
files-tab-keys = Access keys
files-tab-links = Links
files-tab-trash = Trash
files-tab-usage = Usage

# Overview
files-overview-stored = Files stored
files-overview-damaged = { $n ->
    [one] { $n } stored object is damaged
   *[other] { $n } stored objects are damaged
 }
files-overview-quota = { $n } % of the quota is used
files-step = Make a bucket for files
files-step-text = Upload in the browser, or let programs use it like S3.
files-count-objects = { $n ->
    [one] { $n } object
   *[other] { $n } objects
 }
files-count-trashed = { $n ->
    [one] { $n } object in the trash
   *[other] { $n } objects in the trash
 }

# Buckets
files-bucket = Bucket
files-bucket-new = New bucket
files-bucket-name-hint = 3 to 63 lower-case letters, digits, dots and hyphens
files-bucket-created = Bucket { $name } was made.
files-bucket-deleted = Bucket { $name } was deleted.
files-bucket-not-empty = The bucket still has objects, versions or unfinished uploads: delete these first.
files-find-bucket = Search buckets
files-none = No buckets yet
files-none-text = A bucket holds files of any size. Members write, viewers read, unless you give it rules of its own.
files-bars = Bytes by bucket
files-bars-kinds = Bytes: current, former versions, trash
files-trash-note = { $n ->
    [0] What is deleted is gone at once, unless the bucket is given a trash.
    [one] What is deleted or overwritten can be put back for { $n } day.
   *[other] What is deleted or overwritten can be put back for { $n } days.
 }
files-objects = Objects
files-object = Object
files-size = Size
files-versions = Versions
files-has-versions = versions
files-is-public = public
files-is-locked = object lock

# A folder
files-settings = Settings
files-path = Path
files-above = Up one folder
files-folder = Folder
files-folder-new = New folder
files-folder-name = Name of the folder
files-folder-made = The folder was made.
files-folder-no-name = A folder needs a name.
files-empty = Nothing here yet
files-empty-text = Drop files or folders above, or make a folder.
files-drop = Drop files or folders here, or choose files
files-drop-note = An upload goes on where it was, after a pause, a broken connection or a reload.
files-choose = Choose files
files-choose-folder = Upload a folder
files-upload = Upload
files-uploaded = { $n ->
    [one] { $n } file was uploaded.
   *[other] { $n } files were uploaded.
 }
files-upload-failed = { $name } was not uploaded: { $reason }
files-waiting = waiting
files-pause = Pause
files-resume = Resume
files-too-large = larger than this bucket takes
files-network = no connection: choose the file again to go on
files-open-uploads = Some uploads of this browser are unfinished: choose the same files again, and they go on where they were.
files-find-object = Search by name
files-type = Type
files-written = Written
files-by = By
files-choose-items = Choose
files-choose-item = Choose { $name }
files-nothing-chosen = Nothing was chosen.
files-delete-chosen = Delete
files-move-chosen = Move
files-move-to = Move to: folder/ or bucket:folder/
files-change-note = At most 1,000 objects at a time; a folder counts with all that is in it.
files-deleted = { $n ->
    [one] { $n } object was deleted.
   *[other] { $n } objects were deleted.
 }
files-moved = { $n ->
    [one] { $n } object was moved.
   *[other] { $n } objects were moved.
 }
files-changed-more = { $n ->
    [one] { $n } object was changed, and there are more: do it again.
   *[other] { $n } objects were changed, and there are more: do it again.
 }
files-change-failed = Not everything was done ({ $n } were): { $reason }
files-scan-pending = is being scanned
files-quarantined = quarantine

# An object
files-preview = Preview
files-preview-cut = This is the beginning; the download has all of it.
files-preview-none = There is no preview for this type of file.
files-download = Download
files-download-anyway = Download all the same
files-delete-ask = Delete { $name }? It can be put back from the trash, if the bucket has one.
files-object-deleted = The object was deleted.
files-object-locked = The object is locked: { $reason }
files-quarantined-text = The virus scanner found something in this file. It cannot be read any more.
files-marker = deleted
files-latest = latest
files-restore-version = Make current
files-version-restored = This version is current again.
files-describe = Type, tags and metadata
files-described = Saved.
files-tags = Tags
files-metadata = Metadata
files-pairs-hint = A line for each: name=value
files-not-a-pair = { $line } is not name=value.
files-share = Share
files-share-note = Whoever has the link can read this file, without an account.
files-share-make = Make a link
files-share-failed = No link was made: { $reason }
files-expires = Expires
files-utc = In UTC; empty: never
files-most = Downloads at most
files-password = Password
files-password-hint = 8 characters at least; empty: none
files-not-a-time = Expected a date and a time, or nothing.
files-lock = Lock
files-lock-note = A locked version cannot be deleted or overwritten before its time. Governance: administrators may end it. Compliance: nobody may, not even by deleting the organisation.
files-lock-mode = Mode
files-lock-governance = Governance
files-lock-compliance = Compliance
files-lock-until = Until
files-lock-needs-time = A lock needs a time at which it ends.
files-lock-changed = The lock was changed.
files-legal-hold = Legal hold
files-sniffed = Looks like
files-scan = Virus scan
files-scan-none = not scanned
files-scan-clean = clean
files-scan-infected = something was found
files-scan-unscanned = could not be scanned

# Settings of a bucket
files-public = Public
files-public-hint = Anybody who knows the address of an object reads it. Nobody can list without rights.
files-versioning = Versions
files-versioning-hint = What is overwritten or deleted stays as a version. Cannot be turned off again, only suspended.
files-versioning-off = Off
files-versioning-on = On
files-versioning-suspended = Suspended
files-object-lock = Object lock
files-object-lock-hint = Versions can be locked. Needs versions, and cannot be turned off again.
files-default-lock = Lock of new versions
files-lock-days = For days
files-trash-days = Days in the trash
files-max-object = Largest object, bytes
files-bucket-quota = Quota, bytes
files-allowed-types = Types that it takes
files-allowed-types-hint = As found in the content, not as the client says; empty: any
files-cache-control = Cache-Control of objects that have none
files-purge-url = Address that is told of changes
files-purge-url-hint = To empty a cache in front. It gets a signed POST with the addresses that changed.
files-image-options = Images for those who are not signed in
files-image-options-hint = Sizes and formats that may be asked for
files-image-options-presets = Those named below
files-image-options-signed = Those named below, and signed ones
files-image-options-any = Any
files-image-options-off = None
files-image-presets = Named image options (JSON)
files-scan-mode-default = As the installation is set
files-scan-mode-off = Not
files-scan-mode-after = Yes; files can be read before
files-scan-mode-before = Yes; files cannot be read before
files-lifecycle = Lifecycle rules (JSON)
files-lifecycle-hint = What is deleted or moved by its age. Run each night.
files-cors-hint = Which pages of other sites may use this bucket (JSON)
files-settings-saved = The settings were saved.
files-settings-changed = Somebody else has changed these settings meanwhile. Look at them, and save again.
files-rules = Access rules
files-rules-text = Without rules viewers list and read, and members write and delete. With any rule, only what the rules say. Administrators may always do everything.
files-rules-lines = Rules
files-rules-hint = A line for each: subject, verbs, prefix. Subjects: anyone, role:viewer, role:member, scope:NAME, key:ID, user:ID. Verbs: list, read, write, delete.
files-rules-saved = The rules were saved.
files-report = Smaller images
files-report-text = How much smaller the images of this bucket would be as WebP. Nothing is changed.
files-report-make = Find out
files-report-started = The images are being looked at.
files-report-runs = is being made
files-report-found = { $n ->
    [one] { $n } image: it would be { $percent } % smaller.
   *[other] { $n } images: they would be { $percent } % smaller.
 }
files-bucket-delete = Delete this bucket
files-bucket-delete-text = { $n ->
    [0] The bucket has no objects. What is in its trash stays for as long as the bucket says.
    [one] The bucket has { $n } object: only an empty bucket can be deleted.
   *[other] The bucket has { $n } objects: only an empty bucket can be deleted.
 }
files-bucket-delete-ask = Delete the bucket { $name }?

# Access keys
files-keys-lead = For programs that speak S3: backups, rclone, SDKs
files-keys-none = No access keys yet
files-keys-none-text = A key belongs to the organisation, and may be limited to buckets, a prefix and what it may do.
files-key-new = New access key
files-key-name-hint = What it is for, such as nightly backups
files-key-made = The access key was made
files-key-once = The secret is shown only now: keep it where the program can read it.
files-key-id = Access key ID
files-key-secret = Secret access key
files-key-revoke = Revoke
files-key-revoke-ask = Revoke { $name }? Programs that use it stop working within ten seconds.
files-key-revoked = The access key was revoked.
files-key-is-revoked = revoked
files-key-gone = This access key is not there any more.
files-verbs = May
files-verb-list = list
files-verb-read = read
files-verb-write = write
files-verb-delete = delete
files-verb-admin = administer: make and change buckets, end governance locks
files-only-buckets = Only these buckets
files-all-buckets = all
files-prefix = Prefix
files-prefix-hint = Only keys that begin so; empty: all
files-last-used = Last used
files-never = never
files-clients = How programs are set up
files-endpoint = Endpoint, for programs that take one with a path
files-endpoint-root = Endpoint at the root of a port, for restic, s3cmd and others
files-endpoint-none = not open on this installation (files.s3_listen)
files-region = Region

# Links
files-links-lead = What people without an account can read
files-links-none = No links yet
files-links-none-text = Open a file and share it; the link can expire, have a password and be revoked.
files-link-made = The link was made
files-link-once = Its address is shown only now.
files-link-http = This installation is reached without encryption: who listens on the way sees the file, and its password.
files-link-revoke = Revoke
files-link-revoke-ask = Revoke this link? It leads nowhere from now on.
files-link-revoked = The link was revoked.
files-has-password = password
files-used = Downloads

# Trash
files-trash-lead = What was deleted or overwritten, until its time is over. It counts for the quota.
files-trash-none = The trash is empty
files-trash-none-text = What is deleted from a bucket with a trash waits here.
files-trash-empty = Empty the trash
files-trash-empty-ask = Delete everything in the trash of { $name } for good?
files-deleted-at = Deleted
files-purged-at = Gone at
files-restore = Put back
files-restored = { $n ->
    [one] { $n } object was put back.
   *[other] { $n } objects were put back.
 }
files-purge = Delete for good
files-purged = { $n ->
    [one] { $n } object was deleted for good.
   *[other] { $n } objects were deleted for good.
 }

# Usage
files-usage-lead = What is stored, with versions and trash
files-usage-none = Nothing is stored yet
files-usage-none-text = The buckets that have most are shown here.
files-stored = Stored
files-quota = Quota
files-no-quota = no limit
files-by-bucket = By bucket
files-share-of-all = Share
files-quarantine = Quarantine
files-quarantine-text = Files in which the virus scanner found something. Nobody can read them; administrators can download them from their pages.
files-found = Found
files-upkeep = The store of this installation
files-upkeep-text = Each week everything stored is read and compared with what was written.
files-damage-kind = Damage
files-damage-missing = missing
files-damage-size = wrong size
files-damage-content = wrong content
files-damage-note = What was tried
files-found-at = Found
files-damaged = Damaged
files-repaired = Repaired
files-scrubs-none = No scrub has run yet.
files-scrub-started = Begun
files-scrub-ended = Ended
files-scrub-runs = running
