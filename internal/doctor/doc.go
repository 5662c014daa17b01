package doctor

// Doc is what the reference says of a check.
type Doc struct {
	// Check is its name, as Result has it.
	Check string
	// Group is the heading under which it stands.
	Group string
	// Meaning says in one or two sentences what is looked at.
	Meaning string
	// Severities says which severities a result can have, and when: "error: nobody leads".
	Severities string
}
