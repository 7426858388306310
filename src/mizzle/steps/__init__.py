"""Steps: each looks at the exposures and answers with a small solution. They never import each other."""
