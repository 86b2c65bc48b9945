"""What `hedgerow doctor` looks at, split by what it is about. Every check only reads, and says what to do."""
