"""placeholder"""
def enumerate_hid(): return []
