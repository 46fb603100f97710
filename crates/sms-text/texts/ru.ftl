# What an SMS says in Russian. A part has 67 characters, so they are short.

enrolment = { $code } — код { $brand } для привязки телефона. Никому его не говорите.
login = { $code } — код входа в { $brand }. Никому его не говорите.
withdrawal = { $brand }: вывод { $amount } { $currency } → { $destination }. Код { $code } никому не говорите
settings-change = { $code } — код { $brand } для изменения настроек защиты. Никому его не говорите.
custom = { $code } — код подтверждения { $brand }. Никому его не говорите.
