"""Auto Scaling beyond moto: groups whose instances are not machines, and instance refreshes."""
