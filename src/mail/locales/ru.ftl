# Отписка
mail-unsubscribe-title = Отписка
mail-unsubscribe-lead = Письма на { $address }
mail-unsubscribe-button = Отписаться: { $kind }
mail-unsubscribe-choose = Присылать мне
mail-unsubscribe-other = Письма о вашей учётной записи, например о сбросе пароля, отправляются в любом случае.
mail-unsubscribe-blocked = Сейчас на этот адрес не отправляется ничего: его сервер отказал в приёме или его владелец пожаловался. Изменить это может администратор.
mail-unsubscribe-done = Вы отписаны
mail-unsubscribe-saved = Сохранено
mail-unsubscribe-invalid = Ссылка не работает
mail-unsubscribe-invalid-text = Откройте ссылку из письма ещё раз. Если она разбита на строки, скопируйте её целиком.
