"""The slow look at hardware, system and protection. It runs in a child process, so that what it imports goes away again."""
