# Unsubscribing
mail-unsubscribe-title = Unsubscribe
mail-unsubscribe-lead = Mail to { $address }
mail-unsubscribe-button = Unsubscribe from: { $kind }
mail-unsubscribe-choose = Send me
mail-unsubscribe-other = Mail about your account, such as a password reset, is sent in any case.
mail-unsubscribe-blocked = At present this address gets no mail at all: its server refused mail, or its owner complained. Ask an administrator to change that.
mail-unsubscribe-done = You are unsubscribed
mail-unsubscribe-saved = Saved
mail-unsubscribe-invalid = This link does not work
mail-unsubscribe-invalid-text = Open the link from the mail again. If it is broken over lines, copy it whole.
