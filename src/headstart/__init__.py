"""Headstart: which text model should you use, and what is a pretrained head start worth in labels?"""
