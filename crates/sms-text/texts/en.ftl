# What an SMS says in English. Each message is one line.
#
# $code           the code: exactly once
# $brand          what people call the service
# $amount, $currency, $destination
#                 of a withdrawal; all three before the code

enrolment = { $code } is your { $brand } code to add this phone. Never tell it to anyone.
login = { $code } is your { $brand } login code. Never tell it to anyone.
withdrawal = { $brand }: withdrawal { $amount } { $currency } to { $destination }. Code { $code }. Never tell it to anyone.
settings-change = { $code } is your { $brand } code to change security settings. Never tell it to anyone.
custom = { $code } is your { $brand } confirmation code. Never tell it to anyone.
