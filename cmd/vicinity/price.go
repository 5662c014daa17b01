package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vicinity-sched/vicinity/internal/price"
	"github.com/vicinity-sched/vicinity/internal/usage"
)

// priceOptions are the flags of the verbs that show money.
type priceOptions struct {
	price      string
	pricePerGB float64
}

func (o *priceOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.price, "price", "", "what traffic between zones costs, to show money per month: `aws|gcp|azure|FILE`, a list price or a price file")
	f.Float64Var(&o.pricePerGB, "price-per-gb", 0, "the same as a number: `PRICE` of 1e9 bytes that cross from one zone to another (AWS charges both ends: 0.02)")
	completeWith(cmd, "price", cobra.FixedCompletions(price.Names(), cobra.ShellCompDirectiveDefault))
}

// list reads the price list, or takes the number. It returns nil where neither is given.
func (o *priceOptions) list(cmd *cobra.Command) (*price.List, error) {
	perGB := cmd.Flags().Changed("price-per-gb")
	switch {
	case perGB && o.price != "":
		return nil, usage.Errorf("--price and --price-per-gb exclude each other")
	case perGB && !(o.pricePerGB >= 0 && o.pricePerGB < 1e9):
		return nil, usage.Errorf("--price-per-gb %v: must be at least 0 and less than 1e9", o.pricePerGB)
	case perGB:
		return new(price.PerGB(o.pricePerGB)), nil
	case o.price == "":
		return nil, nil
	}
	if list, ok := price.Preset(o.price); ok {
		return &list, nil
	}
	file, err := os.Open(o.price)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usage.Errorf("--price %q: must be one of %s, or a price file; there is no such file", o.price, strings.Join(price.Names(), ", "))
	}
	if err != nil {
		return nil, usage.File("--price", err)
	}
	defer file.Close()
	list, err := price.Read(file, o.price)
	if err != nil {
		return nil, usage.File("--price", err)
	}
	return &list, nil
}
