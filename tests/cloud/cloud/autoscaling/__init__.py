"""Auto Scaling beyond moto: groups whose instances are names alone, and instance refreshes."""
