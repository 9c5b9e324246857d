#!/usr/bin/env node
// A file of its own, for git and npm keep its mode: what tsc writes cannot be run by its name.
import '../dist/src/cli/main.js';
