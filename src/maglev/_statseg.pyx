# placeholder while the rooms are being built
