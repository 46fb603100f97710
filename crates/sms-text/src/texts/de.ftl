# German. The words that every message ends with are a term.
-warning = Geben Sie ihn niemandem, auch nicht uns.

enrolment = { $code } ist Ihr Code, um dieses Telefon bei { $brand } anzumelden. { -warning }
login = { $code } ist Ihr Anmeldecode bei { $brand }. { -warning }
withdrawal = { $brand }: Auszahlung { $amount } { $currency } an { $destination }. Code { $code }. { -warning }
settings-change = { $code } ist Ihr Code, um die Sicherheit bei { $brand } zu ändern. { -warning }
custom = { $code } ist Ihr Bestätigungscode bei { $brand }. { -warning }
