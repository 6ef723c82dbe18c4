# Titles and sentences in mails.
notices-alert-firing = { $name } fires ({ $severity })
notices-alert-resolved = { $name } has ended ({ $severity })
notices-webhook-disabled = A webhook was disabled
notices-webhook-failing = Every attempt to deliver to it has failed for days. It receives no more messages; once it answers again, enable it on its page.
notices-webhook-gone = Its receiver answered 410 Gone. It receives no more messages.
notices-more = { $count } more
notices-device-unknown = An unknown browser

# Which notices one gets by mail
notices-title = Notices by mail
notices-lead = What is sent to { $address }
notices-account = Account
notices-saved = Saved
notices-no-mail = At present no notices are sent: mail is not set up here, or notices are switched off.
notices-of-installation = About this installation
notices-of-organisation = About { $name }
notices-choice-alert = Critical alerts, each at once
notices-choice-digest = Other alerts, together
notices-choice-backup-report = Backups: made, not verified, failed
notices-choice-weekly-report = Weekly report: answers, cost, backups, incidents
notices-choice-of-organisation-alert = A webhook was disabled
notices-blocked = At present this address gets no mail at all: its server refused mail, or its owner complained. Whoever looks after mail here can change that.
notices-none = No notices to choose
notices-none-text = Notices go to operators of this installation, and to owners and admins of an organisation, at an address that mail can be sent to.
notices-always = Mail about your account, such as a link for a new password or a sign-in from a new device, is sent in any case. Mails are in the language that you have chosen for the console.
error-no-such-choice = These notices are not mailed to you, or no longer. Open the page again.
