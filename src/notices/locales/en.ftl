# Titles and sentences in mails.
notices-alert-firing = { $name } fires ({ $severity })
notices-alert-resolved = { $name } has ended ({ $severity })
notices-webhook-disabled = A webhook was disabled
notices-webhook-failing = Every attempt to deliver to it has failed for days. It receives no more messages; once it answers again, enable it on its page.
notices-webhook-gone = Its receiver answered 410 Gone. It receives no more messages.
notices-more = { $count } more
notices-device-unknown = An unknown browser
