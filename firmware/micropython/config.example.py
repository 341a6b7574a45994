# Copy this to config.py and put in what is yours. Keep that file to yourself: it holds a password and a key.

SSID = "my network"
PASSWORD = "my password"
HOSTNAME = "esp-tcpwatch"

# Who has these 64 hexadecimal digits may switch how this device closes connections (`openssl rand -hex 32` makes some).
# Empty: nobody may.
KEY = ""
